// The file of a device's secret. docs/formats/home.md
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

}  // namespace holdfast::vault
