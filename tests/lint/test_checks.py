# SPDX-License-Identifier: MIT
"""The repository's own checks: what is bad turns them red, what is good does not."""

import os
import pathlib
import subprocess

import pytest

TOOLS = pathlib.Path(__file__).resolve().parents[2] / 'tools'
ROOMS = "rooms = ['base', 'kernel', 'engine']\n"


def run(tool, *arguments, **environment):
    return subprocess.run([TOOLS / tool, *map(str, arguments)], capture_output=True, text=True,
                          env={**os.environ, **environment}, check=False)


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def function(lines):
    return 'static int long_one(int a,\n\t\t    int b)\n{\n' + '\ta++;\n' * lines + '}\n'


@pytest.mark.parametrize('files, complaint', [
    ({'src/engine/a.c': '#include "kernel/k.h"\n#include <engine/x.h>\n'}, None),
    ({'src/base/a.c': '#include "base/b.h"\n'}, None),
    ({'src/main.c': '#include "engine/e.h"\n'}, None),
    ({'modules/m/m.c': '#include "engine/e.h"\n'}, None),
    ({'modules/m/m.stage.h': '#include "packet.bpf.h"\n'}, None),
    ({'src/kernel/a.c': '\n#include "engine/e.h"\n'},
     "src/kernel/a.c:2: kernel includes the higher room's engine/e.h"),
    ({'src/base/a.h': '# include "kernel/k.h"\n'},
     "src/base/a.h:1: base includes the higher room's kernel/k.h"),
    ({'src/engine/a.c': '#include "modules/m/m.h"\n'},
     "src/engine/a.c:1: engine includes a module's modules/m/m.h"),
    ({'modules/m/m.bpf.c': '#include "base/buf.h"\n'},
     "modules/m/m.bpf.c:1: BPF code includes the daemon's base/buf.h"),
    ({'bpf/x.bpf.h': '#include "kernel/k.h"\n'},
     "bpf/x.bpf.h:1: BPF code includes the daemon's kernel/k.h"),
    ({'src/attic/a.c': ''}, 'src/attic: not a room'),
])
def test_layers(tmp_path, files, complaint):
    write(tmp_path, {'src/meson.build': ROOMS, **files})
    result = run('check-layers', tmp_path)
    assert result.stderr == ''
    assert (result.returncode, result.stdout.strip()[:len(complaint or '')]) == \
        (1 if complaint else 0, complaint or '')
    assert complaint or not result.stdout


@pytest.mark.parametrize('lines, red', [(0, False), (100, False), (101, True)])
def test_function_length(tmp_path, lines, red):
    write(tmp_path, {'a.c': 'struct s {\n\tint x;\n};\n\n' + function(3) + function(lines)})
    result = run('check-functions', tmp_path / 'a.c')
    assert result.returncode == red
    assert result.stdout == (f'{tmp_path}/a.c:14: long_one has 101 lines, more than 100\n'
                             if red else '')


def test_function_length_statistics(tmp_path):
    write(tmp_path, {'a.c': function(3) + function(20) + function(50) + function(60)})
    result = run('check-functions', '-v', 'stats=1', tmp_path / 'a.c')
    assert result.stdout == '4 functions, 25% below 15 lines, 50% below 45\n'


@pytest.mark.parametrize('line, red', [
    ('x' * 100, False), ('…' * 100, False), ('\t' * 12 + 'xxxx', False),
    ('x' * 101, True), ('\t' * 12 + 'xxxxx', True),
])
def test_columns(tmp_path, line, red):
    write(tmp_path, {'a.c': f'int a;\n{line}\n'})
    result = run('check-columns', tmp_path / 'a.c')
    assert result.returncode == red
    assert result.stdout == (f'{tmp_path}/a.c:2: 101 columns, more than 100\n' if red else '')


@pytest.mark.parametrize('name, text, red', [
    ('a.c', '// SPDX-License-Identifier: MIT\n', False),
    ('a.py', '#!/usr/bin/python3\n# SPDX-License-Identifier: MIT\n', False),
    ('a.bpf.c', '// SPDX-License-Identifier: MIT OR GPL-2.0-only\n', False),
    ('a.c', 'int a;\n', True),
    ('a.c', '\n' * 20 + '// SPDX-License-Identifier: MIT\n', True),
    ('a.stage.h', '/* SPDX-License-Identifier: MIT */\n', True),
])
def test_licence(tmp_path, name, text, red):
    write(tmp_path, {name: text})
    result = run('check-licence', tmp_path / name)
    assert result.returncode == red
    assert result.stdout.startswith(f'{tmp_path}/{name}: lacks') == red


@pytest.fixture(name='installed')
def fake_dpkg(tmp_path):
    """A host on which just these packages are installed, and apt-get only says what it is asked."""
    def install(*packages):
        lines = ''.join(f'installed {package}\\n' for package in packages)
        write(tmp_path, {'dpkg-query': f'#!/bin/sh\nprintf "{lines}config-files curl\\n"\n',
                         'apt-get': f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\n'})
        for name in ('dpkg-query', 'apt-get'):
            (tmp_path / name).chmod(0o755)
        return {'PATH': f'{tmp_path}:{os.environ["PATH"]}', 'V': '0'}
    return install


BENCH = ('iproute2', 'procps')
LINT = ('clang-format', 'clang-tidy', 'cppcheck', 'shellcheck')


def test_deps_says_what_is_missing(installed):
    result = run('deps', '--check', 'bench', 'test', **installed(*BENCH))
    assert result.returncode == 3
    missing = result.stderr.splitlines()[0].split(': ')[2].split()
    assert 'curl' in missing and 'iproute2' not in missing
    assert len(set(missing)) == len(missing)


def test_deps_is_silent_when_all_is_there(installed, tmp_path):
    result = run('deps', 'bench', **installed(*BENCH))
    assert (result.returncode, result.stdout, result.stderr) == (0, '', '')
    assert not (tmp_path / 'asked').exists()


@pytest.mark.skipif(os.geteuid() != 0, reason='only root installs packages')
def test_deps_installs_only_what_is_missing(installed, tmp_path):
    result = run('deps', 'lint', **installed('clang', *LINT[1:]))
    assert result.returncode == 0, result.stderr
    asked = (tmp_path / 'asked').read_text().splitlines()
    assert [line.split()[-1] for line in asked] == ['update', 'clang-format']


def test_deps_takes_an_alternative(installed):
    with_default = run('deps', '--check', 'build', **installed('clang')).stderr
    with_other = run('deps', '--check', 'build', **installed('clang-19')).stderr
    assert with_default == with_other and ' clang ' not in with_other


def test_unknown_words_are_refused():
    assert run('deps').returncode == 2
    assert run('deps', '--check', 'no-such-group').returncode == 2
    assert run('oracle', 'no-such-program').returncode == 2
