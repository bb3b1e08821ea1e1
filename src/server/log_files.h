// The public log as files, for any static server: DATA/log/.
//
//   checkpoint            the newest that a quorum cosigned: what the world may rely on
//   roots                 encoded tlog::LogRoots of new accounts
//   tile/...              C2SP tlog-tiles: hashes and entries
//   map/<n>               encoded tlog::MapDelta of epoch n
//   audit                 the newest encoded tlog::SignedAudit
//   notice/<index>        encoded tlog::LeafProof of what gives notice, as first cosigned
//   trust/<hex>           the same of the change of the trust roots with this SHA-256
//   receipt/<hex>         the same of the receipt with this hash
//   policy/<version>      encoded tlog::SignedPolicy
//   policy-key, fleet-key  32 bytes each, trust roots of new accounts, where there are such
//
// Everything here follows from the database and can be written again; a file that is not
// `checkpoint` may speak of more than the checkpoint does, which proves nothing.
#pragma once

#include "api/service.h"
#include "tlog/frontier.h"
#include "tlog/tile_tree.h"

namespace holdfast::server {

// Not safe from several threads, but for open(), which only reads.
class LogFiles {
 public:
  static Result<LogFiles> make(std::string folder);

  // What the leaves from number `from` on add to the tiles; `hashes` as Frontier::append gave them.
  // May be repeated.
  Result<void> add(std::uint64_t from, const std::vector<Bytes>& leaves,
                   const std::vector<tlog::TileHash>& hashes);
  Result<void> put(const std::string& name, BytesView bytes);

  // A file by the path under which the world asks. kNotFound, also for what is no such path.
  Result<api::StoredFile> open(const std::string& path) const;
  // For proofs. The reader must go before this.
  tlog::TileReader tiles() const;

 private:
  explicit LogFiles(std::string folder) : folder_(std::move(folder)) {}
  Result<void> extend(const tlog::Tile& tile, std::uint64_t start, BytesView more);

  std::string folder_;
};

}  // namespace holdfast::server
