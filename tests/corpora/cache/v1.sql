-- A database as version 1 of the schema left it.
PRAGMA journal_mode = WAL;
CREATE TABLE body (
 id INTEGER PRIMARY KEY AUTOINCREMENT,
 bytes BLOB NOT NULL,
 superseded INTEGER);
CREATE TABLE doc (
 key TEXT PRIMARY KEY NOT NULL,
 body_id INTEGER,
 negative INTEGER NOT NULL,
 etag TEXT NOT NULL,
 note TEXT NOT NULL,
 fetched INTEGER NOT NULL,
 ttl INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE fact (
 space TEXT NOT NULL,
 key BLOB NOT NULL,
 value BLOB NOT NULL,
 PRIMARY KEY (space, key)) WITHOUT ROWID;
INSERT INTO body VALUES (3, CAST('old bytes' AS BLOB), 1000000);
INSERT INTO body VALUES (7, CAST('the bytes' AS BLOB), NULL);
INSERT INTO doc VALUES ('repo/a', 7, 0, '"tag"', '', 1000000, 60000);
INSERT INTO doc VALUES ('repo/b', NULL, 13, '', 'No.', 1000000, 60000);
INSERT INTO fact VALUES ('space', x'00ff', x'76616c7565');
PRAGMA user_version = 1;
