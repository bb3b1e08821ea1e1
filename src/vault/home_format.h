// The file of a device's secret, and what it remembers of vaults. docs/formats/home.md
#pragma once

#include <array>
#include <optional>

#include "wire/fields.h"

namespace holdfast::vault {

struct PassphraseFields {
  std::uint32_t memory_kib = 0;
  std::uint32_t passes = 0;
  std::uint32_t lanes = 0;
  std::array<std::uint8_t, 16> salt{};
  static constexpr auto kFields =
      wire::fields(&PassphraseFields::memory_kib, &PassphraseFields::passes,
                   &PassphraseFields::lanes, &PassphraseFields::salt);
};

struct DeviceFile {
  wire::Fixed<"holdfast/v1/device"> label;
  std::optional<PassphraseFields> passphrase;  // none: sealed by the key in unattended.key
  Bytes sealed;                                // the device's secret
  static constexpr auto kFields =
      wire::fields(&DeviceFile::label, &DeviceFile::passphrase, &DeviceFile::sealed);
};

// Records of a vault that came with one sync, where one of them takes something away. Times are of
// this device: nobody else can make such a record look old.
struct SeenLosses {
  std::uint64_t first = 0;     // the first of them
  std::int64_t before_ms = 0;  // when this device had last looked; 0: it had never
  std::int64_t seen_ms = 0;
  static constexpr auto kFields =
      wire::fields(&SeenLosses::first, &SeenLosses::before_ms, &SeenLosses::seen_ms);
};

struct LossNotes {
  wire::Fixed<"holdfast/v1/loss-notes"> label;
  std::uint64_t read = 0;                    // records that were looked at
  wire::Bounded<SeenLosses, 1024> syncs;     // the oldest first
  wire::Bounded<std::uint64_t, 1024> fewer;  // records that leave out segments, perhaps for others
  wire::Bounded<std::uint64_t, 4096> settled;  // records of whose drops nothing is left to undo
  static constexpr auto kFields =
      wire::fields(&LossNotes::label, &LossNotes::read, &LossNotes::syncs, &LossNotes::fewer,
                   &LossNotes::settled);
};

}  // namespace holdfast::vault
