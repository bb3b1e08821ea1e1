"""Where a tool works, and how a run of it is measured."""
import ctypes
import dataclasses
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
import time

PAGE = resource.getpagesize()
TICK = 1 / os.sysconf("SC_CLK_TCK")


os.environ["PATH"] += ":/usr/sbin:/sbin"  # mkfs.ext4, losetup


def run_quietly(*command):
    subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


class Place:
    """A folder of a tool's own for what it stores and restores: where we may mount, on a new journaled
    ext4 image. Without that, who runs after another is slower: an ext4 without a journal does not use
    the inodes of files deleted a moment ago, and searches past them."""
    GIB = 14

    def __init__(self, work, name, on_image):
        self.path = tempfile.mkdtemp(prefix=name + "-", dir=work)
        self.image = self.path + ".img" if on_image else None
        if self.image:
            with open(self.image, "wb") as file:
                os.truncate(file.fileno(), self.GIB << 30)
            run_quietly("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image)
            # Direct: what the image's own file system keeps in memory is not kept a second time.
            loop = subprocess.run(["losetup", "-f", "--show", "--direct-io=on", self.image], check=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.strip()
            try:
                run_quietly("mount", loop, self.path)
            finally:
                run_quietly("losetup", "-d", loop)  # for good once it is unmounted

    def folder(self, name):
        path = os.path.join(self.path, name)
        os.makedirs(path, exist_ok=True)
        return path

    def close(self):
        if self.image:
            subprocess.run(["umount", self.path], check=False)
            os.unlink(self.image)
        shutil.rmtree(self.path, ignore_errors=True)


def images_work(work):
    """Whether this process may mount images: tried out."""
    try:
        Place(work, "try", True).close()
        return True
    except (OSError, subprocess.CalledProcessError):
        for name in os.listdir(work):
            if name.startswith("try-"):
                path = os.path.join(work, name)
                os.unlink(path) if os.path.isfile(path) else os.rmdir(path)
        return False


def sync_folder(path):
    """Seconds until all of its file system is on the disk."""
    began = time.monotonic()
    folder = os.open(path, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(folder) != 0:
            raise OSError(ctypes.get_errno(), "syncfs")
    finally:
        os.close(folder)
    return time.monotonic() - began


def tree_of(pid):
    """The process and all below it that live."""
    todo = [pid]
    while todo:
        one = todo.pop()
        yield one
        try:
            for task in os.listdir(f"/proc/{one}/task"):
                with open(f"/proc/{one}/task/{task}/children") as children:
                    todo += [int(child) for child in children.read().split()]
        except OSError:
            continue


def resident(pid):
    """Bytes in memory of a process and all below it; pages that two share count twice."""
    total = 0
    for one in tree_of(pid):
        try:
            with open(f"/proc/{one}/statm") as statm:
                total += int(statm.read().split()[1]) * PAGE
        except (OSError, IndexError):
            continue
    return total


def processor_time(pid):
    """Seconds that one living process has used."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * TICK


@dataclasses.dataclass
class Measured:
    wall: float
    cpu: float
    peak: int
    service_peak: int
    rc: int


class Sampler(threading.Thread):
    """Watches the memory of the tree below `pid`, and of `service` if there is one; ends the tree after `cap`."""

    def __init__(self, pid, service, cap):
        super().__init__(daemon=True)
        self.pid, self.service, self.until = pid, service, time.monotonic() + cap
        self.peak = self.service_peak = 0
        self.ended = threading.Event()

    def run(self):
        while not self.ended.wait(0.03):
            self.peak = max(self.peak, resident(self.pid))
            if self.service:
                self.service_peak = max(self.service_peak, resident(self.service))
            if time.monotonic() > self.until:
                os.killpg(self.pid, signal.SIGKILL)
                return


def measure(command, log, environment, folder=None, service=None, cap=900):
    """Runs it to its end. CPU is that of the tree, and of the service meanwhile."""
    before = processor_time(service) if service else 0
    began = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
                               env=environment, start_new_session=True)
    sampler = Sampler(process.pid, service, cap)
    sampler.start()
    _, status, used = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    sampler.ended.set()
    sampler.join()
    cpu = used.ru_utime + used.ru_stime + (processor_time(service) - before if service else 0)
    return Measured(wall, cpu, sampler.peak, sampler.service_peak,
                    process.returncode)
