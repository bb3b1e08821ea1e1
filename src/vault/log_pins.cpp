#include "vault/log_pins.h"

#include "tlog/leaves.h"
#include "tlog/tile_tree.h"
#include "vault/log_check.h"

namespace holdfast::vault {
namespace {

constexpr const char* kPins = "log_pins";

}  // namespace

Result<LogPins> load_pins(const Home& home) {
  const std::string stored = home.setting(kPins);
  LogPins pins;
  pins.root = tlog::empty_root();
  if (stored.empty()) return pins;
  auto known = wire::decode<LogPins>(as_bytes(stored));
  if (!known.ok()) return std::move(known).error().in("the state of this device");
  return known;
}

Result<void> save_pins(Home& home, const LogPins& pins) {
  const Bytes bytes = wire::encode(pins);
  return home.set_setting(kPins, std::string(as_text(bytes)));
}

Result<std::uint64_t> included_so_far(const Home& home) {
  const LogPins pins = TRY(load_pins(home));
  return pins.included;
}

Result<Bytes> forget_log(Home& home) {
  Bytes known = to_bytes(as_bytes(home.setting(kPins)));
  TRY(home.set_setting(kPins, ""));
  return known;
}

Result<void> put_log_back(Home& home, BytesView known) {
  return home.set_setting(kPins, std::string(as_text(known)));
}

Result<Bytes> newest_checkpoint(const Home& home) {
  const LogPins pins = TRY(load_pins(home));
  return pins.checkpoint;
}

// The service says where it stands; that it does, is computed from the log's tiles. Its proof of
// its own may be of another tree, and signed by those who watched the log long ago.
Result<bool> log_has_receipt(const Home& home, api::Visitor& files, const Digest& receipt) {
  const LogPins pins = TRY(load_pins(home));
  const auto said = files.get_log("receipt/" + receipt.hex());
  if (!said.ok() && said.error().code == Code::kUnavailable) return said.error();
  if (!said.ok()) return false;
  const auto place = wire::decode<tlog::LeafProof>(*said);
  if (!place.ok() || place->index >= pins.size) return false;
  const tlog::TileReader tiles = [&](const tlog::Tile& tile) {
    return files.get_log(tlog::tile_path(tile));
  };
  const auto proof = tlog::TileTree(pins.size, tiles).prove_inclusion(place->index);
  if (!proof.ok() && proof.error().code == Code::kUnavailable) return proof.error();
  tlog::DeletionReceipt leaf;
  leaf.receipt = receipt;
  return proof.ok() && tlog::verify_inclusion({pins.size, pins.root}, place->index,
                                              tlog::leaf_hash(wire::encode(leaf)), *proof)
                           .ok();
}

}  // namespace holdfast::vault
