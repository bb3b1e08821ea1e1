"""What is saved: sets of files made from this machine's own, the same ones each time they are made.

Each set can be changed by one per cent and be put back, to the same contents, names and times."""
import hashlib
import os
import random
import shutil
import subprocess

MIB = 1 << 20
SMALL = 256 << 10
FOLDERS = ("/usr/lib", "/usr/share")
TEXT = (".txt", ".py", ".h", ".html", ".js", ".md", ".rst", ".pl", ".pm", ".xml", ".css", ".po", ".c")


def machine_files():
    """Paths of regular files and links in order, with their size (a link: 0)."""
    for top in FOLDERS:
        for folder, folders, names in os.walk(top):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(folder, name)
                if os.path.islink(path):
                    yield path, 0
                elif os.path.isfile(path) and os.access(path, os.R_OK):
                    yield path, os.path.getsize(path)


def copy_until(files, top, limit):
    """Copies with their attributes, leaving out what would go beyond `limit` bytes; returns the bytes."""
    done = 0
    for path, size in files:
        if done + size > limit:
            continue
        target = top + path
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy2(path, target, follow_symlinks=False)
        done += size
    return done


def spread_files(top, share):
    """One in `share` of the regular files below `top`, by the hash of their names, with that hash."""
    for folder, folders, names in os.walk(top):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            if os.path.islink(path):
                continue
            relative = os.fsencode(os.path.relpath(path, top))
            value = int.from_bytes(hashlib.sha256(relative).digest()[:4], "big")
            if value % share == 0:
                yield path, value // share


class Corpus:
    """A set below `work`. Its mark is written last and is absent while the set is changed, so that an
    interrupted run leaves nothing behind that a later one would believe."""

    def __init__(self, work, size):
        self.size = size
        self.path = os.path.join(work, self.name)
        self.mark = self.path + ".made"
        self.kept = self.path + ".kept"

    def make(self):
        wanted = f"{self.name} {self.size} 1\n"
        if os.path.exists(self.mark) and open(self.mark).read() == wanted:
            return
        for path in (self.path, self.kept):
            shutil.rmtree(path, ignore_errors=True)
        os.makedirs(self.path)
        os.makedirs(self.kept)
        self.build()
        open(self.mark, "w").write(wanted)

    def change(self):
        os.rename(self.mark, self.mark + ".changed")
        self.alter()

    def undo(self):
        self.restore()
        os.rename(self.mark + ".changed", self.mark)

    def measure(self):
        """Reads all of it, so that it lies in memory; returns files and bytes."""
        files = size = 0
        for folder, _, names in os.walk(self.path):
            for name in names:
                path = os.path.join(folder, name)
                files += 1
                if not os.path.islink(path):
                    with open(path, "rb", buffering=0) as file:
                        while part := file.read(MIB):
                            size += len(part)
        return files, size


class Tree(Corpus):
    """Many files: small ones first, so that there are more than 100,000 of them in 2.2 GB."""
    name, full_size = "tree", 2_200_000_000

    def build(self):
        files = list(machine_files())
        small = (one for one in files if one[1] <= SMALL)
        large = (one for one in files if one[1] > SMALL)
        done = copy_until(small, self.path, self.size * 3 // 4)
        copy_until(large, self.path, self.size - done)

    def alter(self):
        """Of one file in a hundred: a tenth goes, the others get a line, a tenth a new neighbour too."""
        self.times = {}
        self.added = []
        for path, value in list(spread_files(self.path, 100)):
            folder = os.path.dirname(path)
            self.times.setdefault(folder, os.stat(folder))
            kept = self.kept + path[len(self.path):]
            os.makedirs(os.path.dirname(kept), exist_ok=True)
            shutil.copy2(path, kept)
            if value % 10 == 0:
                os.unlink(path)
                continue
            with open(path, "r+b") as file:
                whole = file.read()
                half = len(whole) // 2
                file.seek(half)
                file.write(b"changed %d\n" % value + whole[half:])
            if value % 10 == 1:
                self.added.append(path + ".new")
                with open(self.added[-1], "wb") as file:
                    file.write(random.Random(value).randbytes(4096))

    def restore(self):
        for path in self.added:
            os.unlink(path)
        shutil.copytree(self.kept, self.path, dirs_exist_ok=True)
        for folder, info in self.times.items():
            os.utime(folder, ns=(info.st_atime_ns, info.st_mtime_ns))
        shutil.rmtree(self.kept)
        os.makedirs(self.kept)


class Big(Corpus):
    """One file that does not compress: the key stream of AES-CTR."""
    name, full_size = "big", 2048 * MIB

    def build(self):
        with open(self.file(), "wb") as file:
            zeros = subprocess.Popen(["head", "-c", str(self.size), "/dev/zero"], stdout=subprocess.PIPE)
            subprocess.run(["openssl", "enc", "-aes-256-ctr", "-K", f"{7:064d}", "-iv", f"{1:032d}"],
                           stdin=zeros.stdout, stdout=file, check=True)
            zeros.stdout.close()
            zeros.wait()

    def file(self):
        return os.path.join(self.path, "big.bin")

    def other(self):
        return os.path.join(self.kept, "big.bin")

    def alter(self):
        """One MiB in a hundred is another, and 4097 bytes are inserted: all after them moves."""
        if not os.path.exists(self.other()):
            chance = random.Random(7)
            count = self.size // MIB
            others = set(chance.sample(range(count), max(1, count // 100)))
            with open(self.file(), "rb") as old, open(self.other(), "wb") as new:
                for i in range(count):
                    part = old.read(MIB)
                    if i == count // 3:
                        new.write(chance.randbytes(4097))
                    new.write(chance.randbytes(MIB) if i in others else part)
        self.swap()

    def restore(self):
        self.swap()

    def swap(self):
        aside = self.other() + ".aside"
        os.rename(self.file(), aside)
        os.rename(self.other(), self.file())
        os.rename(aside, self.other())


class Mixed(Corpus):
    """Texts of this machine, and one file to which lines are added, as to a log."""
    name, full_size = "mixed", 1024 * MIB

    def build(self):
        texts = (one for one in machine_files() if 0 < one[1] <= 4 * MIB and one[0].endswith(TEXT))
        done = copy_until(texts, self.path, self.size // 2)
        self.add_lines(0, self.size - done)

    def file(self):
        return os.path.join(self.path, "growing.log")

    def add_lines(self, seed, size):
        chance = random.Random(seed)
        ends = [" ".join(chance.choices(["read", "wrote", "user", "host", "door", "open", "shut", "failed",
                                         "disk", "net", "again", "ready"], k=chance.randint(4, 14)))
                for _ in range(4096)]
        number = seed * 1_000_000_000
        with open(self.file(), "ab") as file:
            while size > 0:
                part = "".join(f"{number + i} {chance.getrandbits(24):06x} {ends[chance.getrandbits(12)]}\n"
                               for i in range(10_000)).encode()[:size]
                number += 10_000
                size -= len(part)
                file.write(part)

    def alter(self):
        self.before = os.stat(self.file())
        self.add_lines(1, self.size // 100)

    def restore(self):
        os.truncate(self.file(), self.before.st_size)
        os.utime(self.file(), ns=(self.before.st_atime_ns, self.before.st_mtime_ns))


CORPORA = {kind.name: kind for kind in (Tree, Big, Mixed)}
