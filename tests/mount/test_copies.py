"""What is copied out of the mount belongs to who copied it: it can be edited, committed and removed. And uid=, gid=, umask=."""
import errno
import os
import shutil
import stat
import subprocess

import pytest

from background import NOBODY, as_user

REPOSITORY = "acme/widgets/tree"

COPIES = {
    "cp -r": "cp -r {tree} {copy}",
    "cp -a": "cp -a {tree} {copy}",
    "tar": "mkdir {copy} && tar -C {tree} -cf - . | tar -C {copy} -xf -",
    "tar -p": "mkdir {copy} && tar -C {tree} -cf - . | tar -C {copy} -xpf -",
    "rsync -a": "rsync -a {tree}/ {copy}/",
}


def sh(command):
    done = as_user("sh", "-ec", command, env={**os.environ, "HOME": "/nonexistent"})
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout


def test_a_copy_is_edited_committed_and_removed_by_an_ordinary_user(as_nobody):
    background, where = as_nobody
    assert background(where=where, run_as=NOBODY).returncode == 0
    tree = f"{where}/{REPOSITORY}"
    index = {}
    for name, command in COPIES.items():
        if not shutil.which(name.split()[0]):
            print(f"NOT TESTED: there is no {name.split()[0]}")
            continue
        copy = f"{background.mounts.place}/copy"
        sh(command.format(tree=tree, copy=copy))
        assert sh(f"find {copy} ! -type l ! -writable") == "", name
        assert sh(f"stat -c %a {copy} {copy}/src {copy}/README.md {copy}/tests/run.sh") == "755\n755\n644\n755\n", name
        sh(f"cd {copy} && git init -q && git add -A")
        index[name] = sh(f"git -C {copy} ls-files -s | cut -f 1 -d ' ' | sort | uniq -c")
        sh(f"cd {copy} && echo more >>README.md && echo new >src/new.c && mv src/new.c tests/ && rm tests/run.sh && rm -r {copy}")
    theirs = background.mounts.bb.repo_path("acme", "widgets")
    listed = subprocess.run(["git", "-C", theirs, "ls-tree", "-r", "main"], capture_output=True, text=True, check=True).stdout
    for name, text in index.items():
        for mode in ("100644", "100755", "120000"):
            n = sum(line.startswith(mode + " ") for line in listed.splitlines())
            assert (f"{n} {mode}" in text) == bool(n), (name, text, listed)


def test_an_ordinary_user_may_change_nothing_in_the_mount(as_nobody):
    """The modes would let its owner write: the kernel has it mounted ro."""
    background, where = as_nobody
    assert background(where=where, run_as=NOBODY).returncode == 0
    file = f"{where}/{REPOSITORY}/README.md"
    assert as_user("test", "-w", file).returncode == 1
    assert as_user("test", "-w", os.path.dirname(file)).returncode == 1
    for command in (f"echo x >>{file}", f"rm -f {file}", f"mkdir {where}/acme/new", f"chmod 600 {file}", f"mv {file} {file}.old"):
        done = as_user("sh", "-c", command, env={**os.environ, "LC_ALL": "C"})
        assert done.returncode != 0 and os.strerror(errno.EROFS) in done.stderr, (command, done.stderr)


def owner(path):
    st = os.lstat(path)
    return oct(stat.S_IMODE(st.st_mode)), st.st_uid, st.st_gid


def test_uid_gid_and_umask(mounts):
    m = mounts("uid=1234,gid=4321", "umask=027")
    for name, mode in {"": "0o750", "acme": "0o750", "acme/widgets/info": "0o640", f"{REPOSITORY}/README.md": "0o640",
                       f"{REPOSITORY}/tests/run.sh": "0o750", ".bitbucketfs/status": "0o640"}.items():
        assert owner(m / name) == (mode, 1234, 4321), name
    links = [os.path.join(place, name) for place, folders, names in os.walk(m / REPOSITORY) for name in folders + names
             if os.path.islink(os.path.join(place, name))]
    assert links and {owner(path) for path in links} == {("0o777", 1234, 4321)}, "a symlink's mode is no permission"


def test_uid_and_gid_by_name(mounts):
    m = mounts("uid=nobody,gid=nogroup,umask=0")
    assert owner(m / "acme") == ("0o755", 65534, 65534)


@pytest.mark.parametrize("option, said", [
    ("uid=no-such-user-here", "no user of this system"), ("gid=no-such-group-here", "no group of this system"),
    ("uid=4294967295", "no user of this system"), ("uid=-1", "no user of this system"), ("umask=099", "no mask"),
    ("umask=1777", "no mask"), ("umask=u=rwx", "no mask"), ("uid", "needs a value"), ("umask=", "needs a value"),
])
def test_what_is_no_user_no_group_no_mask(mounts, tmp_path, option, said):
    where = tmp_path / "place"
    where.mkdir()
    done = mounts.run("-o", option, str(where))
    assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1, done
    assert os.listdir(where) == []
