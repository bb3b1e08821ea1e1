// Packs of accounts: one immutable file each, and a row that says it is there.
//
//   DIR/packs/<account>/<2 digits>/<sha-256>   <account>: see pack_folder()
//   DIR/incoming/                              packs on their way in
//
// File first, row second: a row says that the whole pack is durable under its name. On the way out
// the row goes first: a file without a row is garbage, a row without its file would be a loss.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "api/service.h"
#include "base/mutex.h"
#include "server/writer.h"
#include "store/files.h"

namespace holdfast::server {

// Of one length for names of any: the first half of the hexadecimal of the name's SHA-256.
std::string pack_folder(const std::string& account);
// Under the data directory.
std::string pack_path(const std::string& account, const PackId& pack);

// Safe from several threads. One process at a time, which owns the directory.
class PackFiles {
 public:
  static const std::string kSchema;

  // Makes the folders where there are none, and removes what a killed process was receiving. Takes
  // no longer with many packs. `writer` has kSchema and outlives this.
  static Result<std::unique_ptr<PackFiles>> start(const std::string& dir, Writer& writer);
  ~PackFiles();

  // As api::ServiceSession::begin_pack. A pack that is there may come again: it is only compared
  // with its name, unless its file is lost; then it is healed. Sinks go before this.
  Result<std::unique_ptr<api::PackSink>> begin(const std::string& account, const PackId& pack,
                                               std::uint64_t size);
  // The whole pack, written anew also where it is: for a file that is damaged. kInvalid unless
  // `bytes` have the name.
  Result<void> rewrite(const std::string& account, const PackId& pack, BytesView bytes);

  // kNotFound: no such pack, or its file is lost. kCorrupt: the file has another size.
  Result<api::StoredFile> open(const std::string& account, const PackId& pack);
  Result<Bytes> get(const std::string& account, const PackId& pack);
  Result<store::FileInfo> info(const std::string& account, const PackId& pack);
  // False also where the file is lost or has another size: it is asked for again, and healed.
  Result<std::vector<bool>> have(const std::string& account, const std::vector<PackId>& packs);
  // Sorted.
  Result<std::vector<PackId>> list(const std::string& account);
  // Those that have or had packs, sorted.
  Result<std::vector<std::string>> accounts();

  struct Totals {
    std::uint64_t packs = 0;
    std::uint64_t bytes = 0;
  };
  Result<Totals> of(const std::string& account);
  Result<Totals> totals();

  // Nothing there is success; can be repeated.
  Result<void> remove(const std::string& account, const PackId& pack);
  // Nothing of the account may be on its way in.
  Result<void> remove_account(const std::string& account);

 private:
  class Sink;
  class Busy;
  enum class Present { kKeep, kRewrite };

  PackFiles(std::string dir, Writer& writer) : dir_(std::move(dir)), writer_(writer) {}

  Result<std::unique_ptr<Sink>> make_sink(const std::string& account, const PackId& pack,
                                          std::uint64_t size, Present present);
  Result<void> place(Sink& sink);
  Result<void> add_row(const Sink& sink);
  Result<std::optional<store::FileInfo>> row(const std::string& account, const PackId& pack);
  Result<void> make_folder(const std::string& path);
  Result<void> sync_folder(const std::string& path);

  const std::string dir_;
  Writer& writer_;

  Mutex mutex_;
  Condition changed_;
  std::uint64_t counter_ HF_GUARDED_BY(mutex_) = 0;
  // Packs whose file and row are being changed.
  std::set<std::pair<std::string, PackId>> busy_ HF_GUARDED_BY(mutex_);
  // Folders of packs that are themselves durable, as far as this process knows.
  std::set<std::string> durable_ HF_GUARDED_BY(mutex_);
  // Folders being synced: whoever comes meanwhile shares the next sync.
  struct Sync {
    std::size_t users = 0;
    bool running = false;
    std::uint64_t begun = 0;
    std::uint64_t finished = 0;
    std::uint64_t failed = 0;  // the newest that did
    std::optional<Error> error;
  };
  std::map<std::string, Sync> syncs_ HF_GUARDED_BY(mutex_);
};

}  // namespace holdfast::server
