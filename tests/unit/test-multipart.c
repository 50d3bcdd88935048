/*
 * api/multipart: the service's example, encodings, odd and broken answers.
 */
#include "api/multipart.h"

#include "corpora.h"

#define TYPE "multipart/related; start=\"snippet\"; boundary=\"==x==\""

/* As the service's documentation shows it. */
static const char example[] =
	"--==x==\n"
	"Content-Type: application/json; charset=\"utf-8\"\n"
	"MIME-Version: 1.0\n"
	"Content-ID: snippet\n"
	"\n"
	"{\"id\": \"kypj\"}\n"
	"--==x==\n"
	"Content-Type: text/plain; charset=\"us-ascii\"\n"
	"MIME-Version: 1.0\n"
	"Content-Transfer-Encoding: 7bit\n"
	"Content-ID: \"foo.txt\"\n"
	"Content-Disposition: attachment; filename=\"foo.txt\"\n"
	"\n"
	"foo\n"
	"\n"
	"--==x==\n"
	"Content-Type: image/png\n"
	"Content-Transfer-Encoding: base64\n"
	"Content-ID: \"image.png\"\n"
	"Content-Disposition: attachment; filename=\"image.png\"\n"
	"\n"
	"AAEC\n"
	"/w==\n"
	"--==x==--\n";

/* name=bytes; as hex where they are no text. */
static int print(void *arg, const struct multipart_part *part)
{
	struct buf *out = arg;
	const unsigned char *data = part->data;

	assert_int_equal(data[part->n], 0);
	buf_printf(out, "%s=", part->name ? part->name : "-");
	for (size_t i = 0; i < part->n; i++) {
		if ((data[i] < 0x20 || data[i] >= 0x7f || data[i] == '\\'))
			buf_printf(out, "\\%02x", data[i]);
		else
			buf_putc(out, (char)data[i]);
	}
	buf_putc(out, '\n');
	return 0;
}

/* Exactly so much memory: a read past the end is found. */
static int parts_of(const char *type, const char *body, size_t n,
		    struct buf *out)
{
	char *exact = mem_alloc(n ? n : 1);
	int r;

	memcpy(exact, body, n);
	r = multipart_each(type, exact, n, print, out);
	free(exact);
	return r;
}

static void expect(const char *type, const char *body, const char *want)
{
	cleanup(buf_done) struct buf out = BUF_INIT(0);

	assert_int_equal(parts_of(type, body, strlen(body), &out), 0);
	assert_string_equal(out.data ? out.data : "", want);
}

static void expect_bad(const char *type, const char *body)
{
	cleanup(buf_done) struct buf out = BUF_INIT(0);

	assert_int_equal(parts_of(type, body, strlen(body), &out), -EBADMSG);
}

static void the_services_example(void **state)
{
	(void)state;
	expect(TYPE, example,
	       "-={\"id\": \"kypj\"}\n"
	       "foo.txt=foo\\0a\n"
	       "image.png=\\00\\01\\02\\ff\n");
}

/* Whole or not at all, wherever it is cut off. */
static void every_cut(void **state)
{
	size_t n = sizeof(example) - 1, n_good = 0;

	(void)state;
	for (size_t cut = 0; cut < n; cut++) {
		cleanup(buf_done) struct buf out = BUF_INIT(0);
		int r = parts_of(TYPE, example, cut, &out);

		n_good += r == 0;
		assert_true(r == 0 || r == -EBADMSG);
	}
	/* All but the line break after the end. */
	assert_int_equal(n_good, 1);
}

static void part(const char *headers, const char *content, const char *want)
{
	cleanup(free) char *body =
		mem_asprintf("--b\r\n\r\n\r\n--b\r\n%s\r\n\r\n%s"
			     "\r\n--b--",
			     headers, content);
	cleanup(free) char *all = mem_asprintf("-=\n%s\n", want);

	expect("multipart/mixed; boundary=b", body, all);
}

static void names(void **state)
{
	(void)state;
	part("content-disposition: inline; filename=plain", "", "plain=");
	part("Content-Disposition: attachment; filename=\"a\\\"b;c\\\\\"", "",
	     "a\"b;c\\=");
	part("Content-Disposition: attachment; size=3; FILENAME=\"x\"", "",
	     "x=");
	part("Content-Disposition: a; filename*=UTF-8''na%C3%AFve%20%;"
	     " filename=naive",
	     "", "na\xc3\xafve %=");
	part("Content-Disposition: a; filename*=broken; filename=right", "",
	     "right=");
	part("Content-Disposition: a; filename=\"dir/file\"", "", "dir/file=");
	part("Content-ID: <of id>", "", "of id=");
	part("Content-ID: \"of id\"", "", "of id=");
	part("Content-Disposition: attachment", "", "-=");
	part("Content-Disposition: a; filename=\"\"", "", "-=");
	part("Content-Disposition: a; filename*=UTF-8''a%00b", "", "a%00b=");
	part("no colon\r\nContent-ID: x\r\n folded: y", "", "x=");
}

static void encodings(void **state)
{
	(void)state;
	part("Content-ID: x", "a\r", "x=a\\0d");
	part("Content-ID: x", "a\n", "x=a\\0a");
	part("Content-ID: x", "--bold\r\n--", "x=--bold\\0a--");
	part("Content-ID: x", "\r\n\r\r\n\n\r", "x=\\0a\\0d\\0a\\0a\\0d");
	part("Content-ID: x\r\nContent-Transfer-Encoding: BASE64", "YQ", "x=a");
	part("Content-ID: x\r\nContent-Transfer-Encoding: base64",
	     "Y\r\n WJ\tj\r\n", "x=abc");
	part("Content-ID: x\r\nContent-Transfer-Encoding: base64", "", "x=");
	part("Content-ID: x\r\nContent-Transfer-Encoding: quoted-printable",
	     "a=3Db=\r\nc=\nd=C3=a9\r\n=0D=0A=", "x=a=bcd\\c3\\a9\\0a\\0d\\0a");
	part("Content-ID: x\r\nContent-Transfer-Encoding: binary", "=3D\r\n",
	     "x==3D\\0d\\0a");
	expect("multipart/mixed; boundary=b",
	       "--b\n\n\n--b\nContent-ID: x\n\na\r\nb\r\n--b--",
	       "-=\nx=a\\0d\\0ab\\0d\n");
}

static void broken(void **state)
{
	static const char *const encoded[][2] = {
		{"base64", "Y"},
		{"base64", "YQ=a"},
		{"base64", "Y*Q="},
		{"base64", "YQ===="},
		{"quoted-printable", "=4"},
		{"quoted-printable", "=xy"},
	};

	(void)state;
	expect_bad("application/json", example);
	expect_bad("multipart/related", example);
	expect_bad("multipart/related; boundary=", example);
	expect_bad("multipart/related; boundary=other", example);
	expect_bad("", "");
	expect_bad(TYPE, "");
	expect_bad(TYPE, "--==x==");
	expect_bad(TYPE, "--==x==\n--==x==--");
	expect_bad(TYPE, "--==x==\nContent-ID: x\n--==x==--");
	expect_bad(TYPE, "x--==x==--");
	for (size_t i = 0; i < ARRAY_SIZE(encoded); i++) {
		cleanup(free) char *body = mem_asprintf(
			"--b\nContent-Transfer-Encoding: %s\n\n%s\n--b--",
			encoded[i][0], encoded[i][1]);

		expect_bad("multipart/mixed; boundary=b", body);
	}
}

static void nothing_in_it(void **state)
{
	(void)state;
	expect(TYPE, "--==x==--", "");
	expect(TYPE, "a preamble\n--==x==\n\n\n--==x==--\nan epilogue", "-=\n");
	expect(TYPE, "--==x==\n\n--==x==--", "-=\n");
	expect(TYPE, "--==x==\r\n\r\n--==x==--", "-=\n");
}

/* Its first line is the Content-Type. */
static void corpus_file(const char *name, const char *data, size_t n, bool ok)
{
	cleanup(buf_done) struct buf out = BUF_INIT(0);
	const char *body = memchr(data, '\n', n);
	cleanup(free) char *type = NULL;
	int r;

	assert_non_null(body);
	type = mem_dup0(data, (size_t)(body - data));
	body++;
	r = parts_of(type, body, n - (size_t)(body - data), &out);
	if (r != (ok ? 0 : -EBADMSG))
		fail_msg("%s: %d", name, r);
}

static void corpora(void **state)
{
	(void)state;
	assert_true(corpora_each("multipart/ok", NULL, corpus_file, true) > 0);
	assert_true(corpora_each("multipart/should-fail", NULL, corpus_file,
				 false) > 0);
}

static int refuse(void *arg, const struct multipart_part *part)
{
	size_t *n = arg;

	(void)part;
	return ++*n == 2 ? -ENOSPC : 0;
}

static void too_many_and_enough(void **state)
{
	cleanup(buf_done) struct buf body = BUF_INIT(0);
	cleanup(buf_done) struct buf out = BUF_INIT(0);
	size_t n = 0;

	(void)state;
	assert_int_equal(
		multipart_each(TYPE, example, sizeof(example) - 1, refuse, &n),
		-ENOSPC);
	assert_int_equal(n, 2);
	for (size_t i = 0; i <= MULTIPART_MOST; i++)
		buf_puts(&body, "--==x==\n\n\n");
	buf_puts(&body, "--==x==--\n");
	assert_int_equal(parts_of(TYPE, body.data, body.len, &out), -EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_services_example),
		cmocka_unit_test(every_cut),
		cmocka_unit_test(names),
		cmocka_unit_test(encodings),
		cmocka_unit_test(broken),
		cmocka_unit_test(nothing_in_it),
		cmocka_unit_test(too_many_and_enough),
		cmocka_unit_test(corpora),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
