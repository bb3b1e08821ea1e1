// What a CircleMaker made, as a store takes it. Test-only.
#pragma once

#include <algorithm>
#include <map>

#include "api/doors.h"
#include "support/circle_maker.h"

namespace holdfast::testkit {

// A statement with the blobs that it names by their hashes, in its order.
inline api::Append append_of(const CircleMaker& maker, std::size_t seq) {
  api::Append out;
  out.statement = maker.statements().at(seq);
  const Bytes inner = wire::decode<circle::SignedStatement>(out.statement).value().statement;
  std::map<std::size_t, Bytes> blobs;  // by where the hash stands
  for (const circle::Epoch& epoch : maker.circle().epochs())
    for (const auto& [slot, id] : epoch.blobs) {
      const auto at = std::ranges::search(inner, id.bytes);
      if (!at.empty())
        blobs[static_cast<std::size_t>(at.begin() - inner.begin())] =
            blob_bytes(epoch.number, slot);
    }
  for (auto& [at, blob] : blobs) out.blobs.push_back(std::move(blob));
  return out;
}

}  // namespace holdfast::testkit
