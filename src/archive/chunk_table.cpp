#include "archive/chunk_table.h"

#include <cstring>

#include "crypto/key.h"

namespace holdfast::archive {

constexpr std::size_t kFirstSlots = 64;

TableHash::TableHash() {
  std::array<std::uint8_t, sizeof random_> bytes{};
  crypto::random_fill(bytes);
  std::memcpy(random_.data(), bytes.data(), bytes.size());
}

// Multiply and shift (Dietzfelbinger), which is universal, over the words of the name.
std::uint64_t TableHash::operator()(const std::array<std::uint8_t, 32>& name) const {
  std::array<std::uint64_t, 4> words{};
  std::memcpy(words.data(), name.data(), sizeof words);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < words.size(); ++i)
    sum += ((words[i] >> 32) + random_[i]) * ((words[i] & UINT32_MAX) + std::rotr(random_[i], 32));
  return sum;
}

std::size_t ChunkTable::slot_of(const ChunkId& id) const {
  return slot_for(hash_(id.bytes), slots_.size());
}

const ChunkPlace* ChunkTable::find(const ChunkId& id) const {
  if (rows_.empty()) return nullptr;
  for (std::size_t at = slot_of(id);; at = (at + 1) & (slots_.size() - 1)) {
    if (slots_[at] == 0) return nullptr;
    const ChunkRow& row = rows_[slots_[at] - 1];
    if (row.id == id) return &row.place;
  }
}

void ChunkTable::put(const ChunkRow& row) {
  if (slots_.size() < 2 * (rows_.size() + 1)) grow();
  for (std::size_t at = slot_of(row.id);; at = (at + 1) & (slots_.size() - 1)) {
    if (slots_[at] == 0) {
      HF_CHECK(rows_.size() < UINT32_MAX);
      rows_.push_back(row);
      slots_[at] = static_cast<std::uint32_t>(rows_.size());
      return;
    }
    if (rows_[slots_[at] - 1].id != row.id) continue;
    rows_[slots_[at] - 1] = row;
    return;
  }
}

void ChunkTable::grow() {
  slots_.assign(std::max(kFirstSlots, 2 * slots_.size()), 0);
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    std::size_t at = slot_of(rows_[i].id);
    while (slots_[at] != 0) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = static_cast<std::uint32_t>(i + 1);
  }
}

void ChunkTable::clear() {
  rows_ = {};
  slots_ = {};
}

}  // namespace holdfast::archive
