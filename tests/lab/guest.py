"""A kernel with ESP and XFRM interfaces to run a command in: this one, User-Mode Linux or QEMU.

    python -m tests.lab.guest run -- COMMAND...

runs the command with the host's tree in sight (written to by nobody), its output as it comes, and its exit status.
"""

import argparse
import compileall
import contextlib
import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

HERE = Path(__file__).resolve().parent
TREE = HERE.parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgevpn"
UML_KERNEL = CACHE / "uml" / "linux"
QEMU_FILES = CACHE / "qemu"
ACCELERATOR = QEMU_FILES / "accelerator"

KEPT_VARIABLES = ("PATH", "HOME", "LANG", "CI", "XDG_CACHE_HOME")
KEPT_PREFIXES = ("EDGEVPN_", "PYTEST_", "HYPOTHESIS_", "COVERAGE_")
MEMORY = 1 << 30  # octets; pytest and a dozen daemons use a third of it
NO_STATUS = 125  # what `timeout` and `docker run` return for their own failure
TIMED_OUT = 124
POWER_OFF_PATIENCE = 10.0  # seconds
KVM_PATIENCE = 15.0  # seconds for a whole run; a usable KVM needs three

ESP_PROBE = """\
link set dev lo up
link add probe type xfrm dev lo if_id 1
xfrm state add src 127.0.0.1 dst 127.0.0.1 proto esp spi 0x1000 mode tunnel aead rfc4106(gcm(aes)) 0x{key} 128
""".format(key="00" * 20)


@dataclass(frozen=True, slots=True)
class Guest:
    """A kind of guest, and the host's command line that runs the job in `results`.

    The command's standard output is the job's.
    """

    kind: str
    command: Callable[[Path], list[str]]


def host(results: Path) -> list[str]:
    """Namespaces of the running kernel; what the job leaves behind dies with them."""
    unshare = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return [*unshare, "sh", "-c", 'ip link set dev lo up && exec sh "$0"', str(results / "job")]


def uml(results: Path) -> list[str]:
    """The kernel as a process of the host; its memory is a file."""
    environment = [f"lab_{name}={value}" for name, value in {"lower": "/", **shared(results)}.items()]
    kernel = [
        str(UML_KERNEL),
        f"mem={MEMORY}",
        "seccomp=on",
        "quiet",
        "con=null",
        "ssl=null",
        "con0=null,fd:2",
        "con1=null,fd:1",
    ]
    root = ["root=/dev/root", "rootfstype=hostfs", "ro", f"init={HERE / 'init'}"]
    memory = "/dev/shm" if shutil.disk_usage("/dev/shm").free > MEMORY else "/var/tmp"  # noqa: S108
    return ["env", f"TMPDIR={memory}", *kernel, *root, *environment]


def qemu(results: Path) -> list[str]:
    """Debian's kernel, on KVM where that works, else emulated."""
    modules = QEMU_FILES / "lib" / "modules"
    variables = {"lower": "/host", "modules": modules, **shared(results)}
    boot = (
        "console=ttyS0 quiet panic=-1 mitigations=off norandmaps no_timer_check tsc=reliable random.trust_cpu=on"
        " audit=0 lsm=capability initcall_blacklist=jent_mod_init,load_system_certificate_list"
    )
    return [
        "qemu-system-x86_64",
        *("-accel", ACCELERATOR.read_text()),
        *("-cpu", "max", "-smp", "2", "-m", f"{MEMORY >> 20}M", "-rtc", "base=utc"),
        *("-M", "q35,sata=off,usb=off,smbus=off,i8042=off,graphics=off,vmport=off"),
        *("-nodefaults", "-no-user-config", "-nographic", "-no-reboot"),
        *("-kernel", str(QEMU_FILES / "vmlinux"), "-initrd", str(QEMU_FILES / "initrd.cpio")),
        *("-append", " ".join([boot, *(f"lab_{name}={value}" for name, value in variables.items())])),
        *("-serial", "file:/dev/fd/2", "-device", "virtio-serial-pci"),
        *("-chardev", "file,id=out,path=/dev/fd/1", "-device", "virtserialport,chardev=out,name=out"),
        *("-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap"),
        *("-device", "virtio-9p-pci,fsdev=host,mount_tag=host"),
        *("-fsdev", f"local,id=results,path={results},security_model=none"),
        *("-device", "virtio-9p-pci,fsdev=results,mount_tag=results", "-device", "virtio-rng-pci"),
    ]


GUESTS = {guest.kind: guest for guest in (Guest("host", host), Guest("uml", uml), Guest("qemu", qemu))}


def shared(results: Path) -> dict[str, str]:
    """What the guest's first process must know of the host; see `init`."""
    below_tmp = " ".join(str(path) for path in (TREE, CACHE) if path.is_relative_to("/tmp"))  # noqa: S108
    return {"init": str(HERE / "init"), "results": str(results), "keep": f'"{below_tmp}"'}


def choose() -> Guest:
    """The guest asked for by $EDGEVPN_LAB; else this kernel, a built User-Mode Linux, QEMU, in this order."""
    if asked := os.environ.get("EDGEVPN_LAB"):
        return GUESTS[asked]
    if host_has_esp():
        return GUESTS["host"]
    return GUESTS["uml" if UML_KERNEL.exists() else "qemu"]


def host_has_esp() -> bool:
    """Whether the running kernel makes an XFRM interface and an ESP SA, tried in a namespace of its own."""
    probe = ["unshare", "--net", "ip", "-batch", "-"]
    return subprocess.run(probe, input=ESP_PROBE, text=True, capture_output=True, check=False).returncode == 0


def prepare(guest: Guest) -> None:
    """Install what the guest and the tests in it need; instant when it is all there."""
    parts = {"host": [], "uml": ["uml"], "qemu": ["qemu"]}[guest.kind]
    subprocess.run([HERE / "install", "tools", "peers", *parts], check=True)
    for folder in ("edgevpn", "tests"):  # the guest would do it at each boot, as it forgets what it writes
        compileall.compile_dir(TREE / folder, quiet=2)
    if guest.kind == "qemu" and not ACCELERATOR.exists():
        choose_accelerator(guest)


def choose_accelerator(guest: Guest) -> None:
    """Try KVM once: a device that opens proves nothing, a guest that comes up does."""
    print("lab: trying KVM, once", file=sys.stderr)
    ACCELERATOR.write_text("kvm")
    with tempfile.TemporaryDirectory() as results:
        works = os.access("/dev/kvm", os.R_OK | os.W_OK) and run(guest, ["true"], Path(results), KVM_PATIENCE) == 0
    print(f"lab: {'KVM works' if works else 'no KVM here: the guest is emulated'}", file=sys.stderr)
    ACCELERATOR.write_text("kvm" if works else "tcg,thread=multi")


def hasten() -> None:
    """Build User-Mode Linux where only emulation would be left: a run of all tests is slower there than the build."""
    if choose().kind == "qemu" and "EDGEVPN_LAB" not in os.environ:
        built = subprocess.run([HERE / "install", "uml"], check=False)
        if built.returncode:
            print("lab: no User-Mode Linux here, so the tests will run in an emulated machine", file=sys.stderr)


def run(guest: Guest, command: list[str], results: Path, timeout: float) -> int | None:
    """Run a command in a guest and return its exit status; files it puts into `results` stay.

    `timeout` in seconds. Output is written as it comes. 124: timed out; None: the guest ended before the command.
    """
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir(parents=True)
    (results / "job").write_text(job(guest, command, results))
    with (results / "console.log").open("wb") as console, started(guest.command(results), console) as process:
        if not copy_output(process, time.monotonic() + timeout):
            return TIMED_OUT
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=POWER_OFF_PATIENCE)
    try:
        return int((results / "status").read_text())
    except (FileNotFoundError, ValueError):
        return None


def job(guest: Guest, command: list[str], results: Path) -> str:
    """The shell script that the guest runs: the command, here, with our variables, its exit status kept."""
    variables = {
        name: value for name, value in os.environ.items() if name in KEPT_VARIABLES or name.startswith(KEPT_PREFIXES)
    }
    variables |= {"EDGEVPN_LAB_GUEST": guest.kind, "EDGEVPN_LAB_RESULTS": str(results)}
    exports = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    status = shlex.quote(str(results / "status"))
    return "\n".join([*exports, f"cd {shlex.quote(str(Path.cwd()))}", shlex.join(command), f"echo $? > {status}", ""])


@contextlib.contextmanager
def started(command: list[str], console: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """The guest's process, in a session of its own, gone with all its children afterwards, or when we die."""
    bound = ["setpriv", "--pdeathsig", "KILL", "--", *command]
    process = subprocess.Popen(
        bound, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=console, start_new_session=True
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def copy_output(process: subprocess.Popen[bytes], deadline: float) -> bool:
    """Pass on what the guest prints until it ends; False when the deadline (monotonic, seconds) comes first."""
    assert process.stdout is not None
    source = process.stdout.fileno()
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([source], [], [], left)[0]:
            continue
        if not (octets := os.read(source, 65536)):
            return True
        sys.stdout.buffer.write(octets)
        sys.stdout.buffer.flush()
    return False


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.lab.guest", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("kind", help="print the kind of guest that would be used")
    verbs.add_parser("hasten", help="build a fast guest where there would only be a slow one")
    runner = verbs.add_parser("run", help="run a command in the guest")
    runner.add_argument("--timeout", type=float, default=3600, help="seconds (%(default)s)")
    runner.add_argument(
        "--shards", type=int, default=1, help="so many guests side by side; each finds its part in $EDGEVPN_LAB_SHARD"
    )
    runner.add_argument("--results", type=Path, default=TREE / "build" / "lab", help="folder for results (%(default)s)")
    runner.add_argument("command", nargs="+")
    arguments = parser.parse_args()

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        match arguments.verb:
            case "kind":
                print(choose().kind)
                return 0
            case "hasten":
                hasten()
                return 0
        results = arguments.results.resolve()
        if arguments.shards > 1:
            return run_shards(arguments.command, results, arguments.timeout, arguments.shards)
        return run_and_tell(arguments.command, results, arguments.timeout)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def run_shards(command: list[str], results: Path, timeout: float, shards: int) -> int:
    """Run a command in several guests side by side; what the first prints comes at once, the rest one by one.

    Returns the highest of their exit statuses; each has a folder of its own in `results`.
    """
    prepare(choose())  # once, rather than in each
    outputs = [None, *(tempfile.TemporaryFile() for _ in range(shards - 1))]  # noqa: SIM115 - they end with us
    children = []
    for number, output in enumerate(outputs):
        words = [sys.executable, "-m", "tests.lab.guest", "run", "--timeout", str(timeout)]
        words += ["--results", str(results / str(number)), "--", *command]
        variables = {**os.environ, "EDGEVPN_LAB_SHARD": f"{number}/{shards}"}
        children.append(subprocess.Popen(words, env=variables, stdout=output, stderr=output))
    try:
        statuses = [child.wait() for child in children]
    finally:
        for child in children:
            child.terminate()
            child.wait()
    for output in filter(None, outputs):
        output.seek(0)
        shutil.copyfileobj(output, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    return max(statuses)


def run_and_tell(command: list[str], results: Path, timeout: float) -> int:
    """Run a command in the guest of choice; an exit status that is the lab's own is explained."""
    guest = choose()
    prepare(guest)
    status = run(guest, command, results, timeout)
    if status is None:
        print(f"lab: the {guest.kind} guest ended before the command; see {results / 'console.log'}", file=sys.stderr)
        return NO_STATUS
    if status == TIMED_OUT:
        print(f"lab: stopped after {timeout:.0f} s", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
