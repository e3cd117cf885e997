"""What `cmake --install` leaves can be used: by find_package, by pkg-config, from C and from C++, after being moved."""
import os
import shutil
import subprocess

import pytest

PROGRAM = """
#include <ingot/ingot.h>
#include <stdio.h>
int main(void) { printf("%s %s", ingot_version(), ingot_status_text(INGOT_E_SHAPE)); return 0; }
"""
LISTS = """
cmake_minimum_required(VERSION 3.22)
project(user LANGUAGES C CXX)
find_package(ingot 0.1 REQUIRED)
add_executable(whole main.c)
target_link_libraries(whole ingot::ingot)
add_executable(runtime main.cpp)
target_link_libraries(runtime ingot::ingot_rt)
"""


def run(*command, **options):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def prefix(build, tmp_path_factory):
    first = tmp_path_factory.mktemp("first") / "prefix"
    run("cmake", "--install", build, "--prefix", first)
    return shutil.move(first, tmp_path_factory.mktemp("second") / "prefix")


def text():
    return "0.1.0 shapes don't fit"


def test_find_package(prefix, tmp_path):
    (tmp_path / "main.c").write_text(PROGRAM)
    (tmp_path / "main.cpp").write_text(PROGRAM)
    (tmp_path / "CMakeLists.txt").write_text(LISTS)
    run("cmake", "-G", "Ninja", "-S", tmp_path, "-B", tmp_path / "b", f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", tmp_path / "b")
    assert run(tmp_path / "b" / "whole") == text()
    assert run(tmp_path / "b" / "runtime") == text()


@pytest.mark.parametrize("library", ["ingot", "ingot_rt"])
def test_pkg_config(prefix, tmp_path, library):
    found = next(prefix.rglob("ingot.pc")).parent
    env = dict(os.environ, PKG_CONFIG_PATH=str(found))
    flags = run("pkg-config", "--cflags", "--libs", library, env=env).split()
    (tmp_path / "main.c").write_text(PROGRAM)
    run("cc", tmp_path / "main.c", *flags, "-o", tmp_path / "main")
    folder = run("pkg-config", "--variable=libdir", library, env=env).strip()
    assert run(tmp_path / "main", env=dict(os.environ, LD_LIBRARY_PATH=folder)) == text()


@pytest.mark.parametrize("library", ["libingot.so", "libingot_rt.so"])
def test_needs_libc_alone(build, library):
    needed = [line.split("[")[1].split("]")[0] for line in run("readelf", "-d", build / library).splitlines() if "NEEDED" in line]
    assert all(name.startswith(("libc.", "libm.", "ld-linux", "libpthread.", "libdl.")) for name in needed), needed


def test_runtime_is_the_smaller_one(build):
    assert (build / "libingot_rt.so").stat().st_size < (build / "libingot.so").stat().st_size
    names = {line.split()[-1] for line in run("nm", "-D", "--defined-only", build / "libingot_rt.so").splitlines()}
    assert "ingot_version" in names
    assert not {"ingot_build", "ingot_network_load", "ingot_config_create"} & names
