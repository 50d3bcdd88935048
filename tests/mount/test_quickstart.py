"""packaging/quickstart: of a checkout of its own, in which the program is built already."""
import os
import re
import subprocess

import pytest

from conftest import BINARY, PATIENCE, TOP, mounted
from readers import standing


def checkout_with(place, program):
    """A checkout whose build/src/bitbucketfs is that program, and nothing is left to be built."""
    top = place / "checkout"
    (top / "build/src").mkdir(parents=True)
    (top / "build/build.ninja").touch()
    os.symlink(os.path.join(TOP, "packaging"), top / "packaging")
    os.symlink(program, top / "build/src/bitbucketfs")
    (place / "bin").mkdir()
    (place / "bin/ninja").write_text("#!/bin/sh\necho no work to do\n")
    (place / "bin/ninja").chmod(0o755)
    return top


# Its place is taken by what only says that it is ready: the real one makes its data first.
SERVER = """
import json, sys, time
with open(sys.argv[sys.argv.index("--ready-file") + 1], "w") as f:
    json.dump({"api_url": "http://127.0.0.1:1/2.0", "git_url": "http://127.0.0.1:1",
               "accounts": {"ada": {"email": "a@b", "token": "t"}}}, f)
time.sleep(60)
"""


def quickstart(top, mounts, *arguments, **more):
    e = mounts.environment(account=None, **more, PATH=f"{top.parent}/bin:{os.environ['PATH']}")
    for name in ("BITBUCKETFS_API_URL", "BITBUCKETFS_GIT_URL"):
        del e[name]
    return subprocess.run([top / "packaging/quickstart", *arguments], env=e, capture_output=True, text=True, timeout=PATIENCE * 3,
                          stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("kind", ["full", "file"])
def test_a_mount_point_that_will_not_do_is_said_before_anything_is_built(mounts, tmp_path, kind):
    top = checkout_with(tmp_path, "/bin/false")
    where = mounts.place / "home" / "bitbucket"
    where.parent.mkdir(exist_ok=True)
    if kind == "full":
        where.mkdir()
    (where / "mine" if kind == "full" else where).write_text("mine")
    done = quickstart(top, mounts)
    assert (done.returncode, done.stdout) == (1, "") and "name another one" in done.stderr and done.stderr.count("\n") == 1, done


def test_no_server_is_left_where_the_mount_fails(mounts, tmp_path):
    top = checkout_with(tmp_path, "/bin/false")
    (top / "tests/bitbucket").mkdir(parents=True)
    (top / "tests/bitbucket/__main__.py").write_text(SERVER)
    done = quickstart(top, mounts)
    assert done.returncode == 1 and "starting the local Bitbucket" in done.stdout, done
    assert done.stdout.endswith("==> stopping the local Bitbucket\n"), done
    assert sorted(os.listdir(mounts.place / "xdg-state")) == [] and os.listdir(mounts.place / "xdg-cache") == []


def test_the_readme_s_line_installs_what_building_needs():
    with open(os.path.join(TOP, "packaging", "lib.sh"), encoding="utf-8") as f:
        needed = re.search(r"build_packages=\((.*?)\)", f.read(), re.S).group(1).replace("'", "").split()
    with open(os.path.join(TOP, "packaging", "deb", "debian", "control"), encoding="utf-8") as f:
        text = re.search(r"Build-Depends:\n((?: .*\n)*)", f.read()).group(1)
    said = [{re.sub(r"[ (<].*", "", name.strip()) for name in line.split("|")} for line in text.split(",")]
    with open(os.path.join(TOP, "README.md"), encoding="utf-8") as f:
        assert "sudo apt build-dep ./packaging/deb" in f.read()
    # build-essential is there wherever packages are built, and meson brings ninja.
    for package in set(needed) - {"gcc", "libc6-dev", "ninja-build"}:
        assert set(package.split("|")) in said


# The same, in front of a local Bitbucket that is there.
OTHERS = SERVER.replace('"http://127.0.0.1:1/2.0"', '"%s"').replace('"http://127.0.0.1:1"', '"%s"')
OTHERS = OTHERS.replace('"a@b"', '"%s"').replace('"t"}', '"%s"}')


def test_the_example_data_is_not_taken_for_the_real_service(bb, mounts, tmp_path):
    top = checkout_with(tmp_path, BINARY)
    (top / "tests/bitbucket").mkdir(parents=True)
    ada = bb.accounts["ada"]
    (top / "tests/bitbucket/__main__.py").write_text(OTHERS.replace("60", "600") % (bb.api_url, bb.git_url, ada.email, ada.token))
    try:
        done = quickstart(top, mounts)
        assert done.returncode == 0 and "login, then this again" in done.stdout, done
        done = quickstart(top, mounts, BITBUCKETFS_EMAIL=ada.email)
        assert done.returncode == 1 and "the example data is still at" in done.stderr, done
    finally:
        done = quickstart(top, mounts, "--stop")
    assert done.returncode == 0 and not (mounts.place / "home/bitbucket").exists(), done


def test_stop_waits_for_the_daemon_and_says_who_is_in_the_way(background, mounts, tmp_path):
    top = checkout_with(tmp_path, BINARY)
    where = mounts.place / "home" / "bitbucket"
    where.parent.mkdir(exist_ok=True)
    where.mkdir()
    state_dir = mounts.place / "xdg-state/bitbucketfs/quickstart"
    state_dir.mkdir(parents=True)
    (state_dir / "mounts").write_bytes(bytes(where) + b"\0")
    assert background(where=str(where), cache=state_dir / "cache").returncode == 0
    subprocess.run(["grep", "-r", "no such text anywhere", where / "acme/widgets/tree"])

    user = standing(str(where / "acme"))
    try:
        done = quickstart(top, mounts, "--stop")
        assert done.returncode == 1 and f"sleep ({user.pid}) stands in it" in done.stderr and mounted(str(where)), done
    finally:
        user.kill()
        user.wait()
    done = quickstart(top, mounts, "--stop")
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.endswith("==> all of it is down\n"), done
    assert background.await_end(background.daemons[0]) == 0
    assert not os.path.exists(state_dir) and not where.exists()
