// A disk for SQLite that knows what a power cut would leave: everything synced, and of what was
// written since any 512-byte sectors and either size. Test-only.
//
// It is SQLite's default VFS in the process that made one, over the real one. Files stay real;
// syncs only count here. Not modelled: that names of files get lost, and -shm, which no start
// believes.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <string>

#include "base/bytes.h"

namespace holdfast {

class LosingDisk {
 public:
  static LosingDisk& of_this_process();

  // At the calls-th write or sync from now: notes what a cut would leave, then calls `at_cut`.
  void cut_after(int calls, std::uint64_t seed, std::function<void()> at_cut);
  bool was_cut();
  // A disk that reports a sync done and does nothing.
  void lie(bool yes);
  // The files below `from` as the cut left them, into the folder `to`, by the same names.
  void lay_out(const std::string& from, const std::string& to);

  // For the VFS.
  void opened(const std::string& path);
  void wrote(const std::string& path, std::size_t at, BytesView bytes);
  void truncated(const std::string& path, std::size_t size);
  void synced(const std::string& path);
  void deleted(const std::string& path);

 private:
  struct File {
    Bytes now;
    Bytes durable;
    std::set<std::size_t> dirty;  // sectors written since
  };

  void count();  // with mutex_
  Bytes after_cut(const File& file);

  std::mutex mutex_;
  std::map<std::string, File> files_;
  std::map<std::string, Bytes> left_;  // by the cut
  std::mt19937 random_;
  unsigned kept_percent_ = 0;
  int calls_ = 0;
  bool lies_ = false;
  std::function<void()> at_cut_;
};

}  // namespace holdfast
