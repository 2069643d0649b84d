"""The files of the transfer rows, in memory: what is measured is the way, not a disk."""
import os
import shutil
import tempfile

MIB = 1 << 20


class Files:
    """A file `whole` of `size` octets, a file `part` of that by `streams`, and a folder that takes uploads.

    Use as a context manager; everything is gone afterwards.
    """

    def __init__(self, size, streams):
        self.size = size
        needed = 2 * size + size // streams + 256 * MIB  # what the uploads of one row leave is `size` octets too
        self.folder = tempfile.mkdtemp(prefix="sallyport-bench-", dir=self._roomy_folder(needed))
        self.in_memory = self.folder.startswith("/dev/shm/")
        self.downloads = os.path.join(self.folder, "downloads")
        self.uploads = os.path.join(self.folder, "uploads")
        os.mkdir(self.downloads)
        os.mkdir(self.uploads)
        block = os.urandom(MIB)
        for name, count in (("whole", size), ("part", size // streams)):
            with open(os.path.join(self.downloads, name), "wb") as file:
                for _ in range(count // MIB):
                    file.write(block)
        self.whole = os.path.join(self.downloads, "whole")
        self.part = os.path.join(self.downloads, "part")

    @staticmethod
    def _roomy_folder(needed):
        shared = "/dev/shm"
        if os.access(shared, os.W_OK) and shutil.disk_usage(shared).free >= needed:
            return shared
        return None  # the temporary folder, which may be a disk: the report says so

    def clear_uploads(self):
        """The octets that uploads have left here, which are deleted."""
        total = 0
        for entry in os.scandir(self.uploads):
            if entry.is_file():
                total += entry.stat().st_size
                os.unlink(entry.path)
        return total

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)
