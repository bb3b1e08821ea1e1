#include "service/losing_disk.h"

#include <sqlite3.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <new>

namespace holdfast {
namespace {

constexpr std::size_t kSector = 512;

// ---- the VFS: the real one, told on the way ----

struct Opened {
  sqlite3_file base;
  std::string* path;  // null: nothing to remember
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

Opened& opened(sqlite3_file* file) { return *reinterpret_cast<Opened*>(file); }
sqlite3_file* real(sqlite3_file* file) { return opened(file).real(); }
LosingDisk& disk() { return LosingDisk::of_this_process(); }
sqlite3_vfs* under(sqlite3_vfs* vfs) { return static_cast<sqlite3_vfs*>(vfs->pAppData); }

int close_file(sqlite3_file* file) {
  delete opened(file).path;
  return real(file)->pMethods->xClose(real(file));
}
int read_file_at(sqlite3_file* file, void* into, int size, sqlite3_int64 at) {
  return real(file)->pMethods->xRead(real(file), into, size, at);
}
int write_file_at(sqlite3_file* file, const void* from, int size, sqlite3_int64 at) {
  if (const std::string* const path = opened(file).path)
    disk().wrote(*path, static_cast<std::size_t>(at),
                 {static_cast<const std::uint8_t*>(from), static_cast<std::size_t>(size)});
  return real(file)->pMethods->xWrite(real(file), from, size, at);
}
int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  if (const std::string* const path = opened(file).path)
    disk().truncated(*path, static_cast<std::size_t>(size));
  return real(file)->pMethods->xTruncate(real(file), size);
}
int sync_file(sqlite3_file* file, int) {
  if (const std::string* const path = opened(file).path) disk().synced(*path);
  return SQLITE_OK;
}
int file_size(sqlite3_file* file, sqlite3_int64* size) {
  return real(file)->pMethods->xFileSize(real(file), size);
}
int lock_file(sqlite3_file* file, int level) {
  return real(file)->pMethods->xLock(real(file), level);
}
int unlock_file(sqlite3_file* file, int level) {
  return real(file)->pMethods->xUnlock(real(file), level);
}
int check_reserved(sqlite3_file* file, int* out) {
  return real(file)->pMethods->xCheckReservedLock(real(file), out);
}
int control_file(sqlite3_file* file, int what, void* with) {
  return real(file)->pMethods->xFileControl(real(file), what, with);
}
int sector_size(sqlite3_file* file) { return real(file)->pMethods->xSectorSize(real(file)); }
int characteristics(sqlite3_file* file) {
  return real(file)->pMethods->xDeviceCharacteristics(real(file));
}
int shm_map(sqlite3_file* file, int region, int size, int extend, void volatile** at) {
  return real(file)->pMethods->xShmMap(real(file), region, size, extend, at);
}
int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
  return real(file)->pMethods->xShmLock(real(file), offset, count, flags);
}
void shm_barrier(sqlite3_file* file) { real(file)->pMethods->xShmBarrier(real(file)); }
int shm_unmap(sqlite3_file* file, int and_delete) {
  return real(file)->pMethods->xShmUnmap(real(file), and_delete);
}

const sqlite3_io_methods kMethods = {2,
                                     close_file,
                                     read_file_at,
                                     write_file_at,
                                     truncate_file,
                                     sync_file,
                                     file_size,
                                     lock_file,
                                     unlock_file,
                                     check_reserved,
                                     control_file,
                                     sector_size,
                                     characteristics,
                                     shm_map,
                                     shm_lock,
                                     shm_barrier,
                                     shm_unmap,
                                     nullptr,
                                     nullptr};

int open_file(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out) {
  Opened& to = opened(file);
  to = {};
  const int status = under(vfs)->xOpen(under(vfs), name, to.real(), flags, out);
  if (to.real()->pMethods == nullptr) return status;
  to.base.pMethods = &kMethods;
  if (status == SQLITE_OK && (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) != 0) {
    to.path = new std::string(name);
    disk().opened(*to.path);
  }
  return status;
}
int delete_file(sqlite3_vfs* vfs, const char* name, int sync) {
  disk().deleted(name);
  return under(vfs)->xDelete(under(vfs), name, sync);
}

void become_default() {
  sqlite3_vfs* const real_vfs = sqlite3_vfs_find(nullptr);
  static sqlite3_vfs vfs = *real_vfs;
  vfs.pNext = nullptr;
  vfs.zName = "losing";
  vfs.szOsFile = static_cast<int>(sizeof(Opened)) + real_vfs->szOsFile;
  vfs.pAppData = real_vfs;
  vfs.xOpen = open_file;
  vfs.xDelete = delete_file;
  sqlite3_vfs_register(&vfs, 1);
}

Bytes content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

// ---- what a cut leaves ----

LosingDisk& LosingDisk::of_this_process() {
  static LosingDisk disk;
  static const bool once = [] {
    become_default();
    return true;
  }();
  static_cast<void>(once);
  return disk;
}

void LosingDisk::cut_after(int calls, std::uint64_t seed, std::function<void()> at_cut) {
  const std::lock_guard lock(mutex_);
  random_.seed(seed);
  kept_percent_ = std::uniform_int_distribution<unsigned>(0, 4)(random_) * 25;
  calls_ = calls;
  left_.clear();
  at_cut_ = std::move(at_cut);
}

bool LosingDisk::was_cut() {
  const std::lock_guard lock(mutex_);
  return calls_ == 0;
}

void LosingDisk::lie(bool yes) {
  const std::lock_guard lock(mutex_);
  lies_ = yes;
}

void LosingDisk::lay_out(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  for (const auto& [path, bytes] : left_) {
    if (!path.starts_with(from + "/")) continue;
    std::ofstream out(to + path.substr(from.size()), std::ios::binary);
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
  }
  std::erase_if(files_, [&](const auto& file) { return file.first.starts_with(from + "/"); });
}

void LosingDisk::opened(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto [at, is_new] = files_.try_emplace(path);
  if (is_new) at->second.now = at->second.durable = content_of(path);
}

void LosingDisk::wrote(const std::string& path, std::size_t at, BytesView bytes) {
  const std::lock_guard lock(mutex_);
  count();
  File& file = files_[path];
  if (file.now.size() < at + bytes.size()) file.now.resize(at + bytes.size());
  std::ranges::copy(bytes, file.now.begin() + static_cast<std::ptrdiff_t>(at));
  for (std::size_t s = at / kSector; s * kSector < at + bytes.size(); ++s) file.dirty.insert(s);
}

void LosingDisk::truncated(const std::string& path, std::size_t size) {
  const std::lock_guard lock(mutex_);
  count();
  files_[path].now.resize(size);
}

void LosingDisk::synced(const std::string& path) {
  const std::lock_guard lock(mutex_);
  count();
  if (lies_) return;
  File& file = files_[path];
  file.durable = file.now;
  file.dirty.clear();
}

void LosingDisk::deleted(const std::string& path) {
  const std::lock_guard lock(mutex_);
  files_.erase(path);
}

void LosingDisk::count() {
  if (calls_ == 0 || --calls_ > 0) return;
  for (const auto& [path, file] : files_) left_[path] = after_cut(file);
  at_cut_();
}

Bytes LosingDisk::after_cut(const File& file) {
  const auto kept = [&] {
    return std::uniform_int_distribution<unsigned>(0, 99)(random_) < kept_percent_;
  };
  Bytes left = file.durable;
  if (kept()) left.resize(file.now.size());
  for (const std::size_t sector : file.dirty) {
    const std::size_t from = sector * kSector;
    if (from >= file.now.size() || !kept()) continue;
    const std::size_t to = std::min(from + kSector, file.now.size());
    if (left.size() < to) left.resize(to);
    std::copy(file.now.begin() + static_cast<std::ptrdiff_t>(from),
              file.now.begin() + static_cast<std::ptrdiff_t>(to),
              left.begin() + static_cast<std::ptrdiff_t>(from));
  }
  return left;
}

}  // namespace holdfast
