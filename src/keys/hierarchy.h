// Every key of the product and every derivation between them, on one screen. What is not listed
// here does not compile (crypto/key.h).
//
//   device seed ─┬─ signing key (P-256)          recovery key ─┬─ signing key
//   (at rest)    ├─ wrapping key (X-Wing)        (20 bytes,    ├─ wrapping key
//                └─ journal key (local)           on paper)    ├─ capsule key
//                                                              └─ locate key
//   R_e, root of epoch e ─┬─ root sealing key: seals R_(e-1), D_(v,e), naming, cutting
//   (random, to readers)  └─ check key: MAC in every epoch statement
//   D_(v,e), vault key ───┬─ link key: seals D_(v,e-1)
//   (random)              └─ segment key: seals key segments
//   naming key (random, per vault): chunk ids     cutting key (random, per vault): boundaries
//   pack key (random, per pack)                   lookup key (random, per account)
//   local index key (random, per file on a device's own disk; sealed under a segment key)
//   admission code (10 bytes) ── one key per message
#pragma once

#include "crypto/passphrase.h"
#include "crypto/sign.h"
#include "crypto/wrap.h"

namespace holdfast::keys {

struct DevicePurpose {};
struct JournalPurpose {};
struct RecoveryPurpose {
  static constexpr std::size_t kSize = 20;
};
struct CapsulePurpose {};
struct LocatePurpose {};
struct RootPurpose {};
struct RootSealPurpose {};
struct EpochCheckPurpose {};
struct VaultPurpose {};
struct VaultLinkPurpose {};
struct SegmentPurpose {};
struct NamingPurpose {};
struct CuttingPurpose {};
struct CutBlockPurpose {
  static constexpr std::size_t kSize = 16;
};
struct PackPurpose {};
struct LocalIndexPurpose {};
struct LookupPurpose {};
struct CodePurpose {
  static constexpr std::size_t kSize = 10;
};
struct JoinRequestPurpose {};
struct JoinAnswerPurpose {};
struct JoinAdmittedPurpose {};
struct UnattendedPurpose {};

}  // namespace holdfast::keys

namespace holdfast::crypto {

#define HF_DERIVATION(From, To, label)                               \
  template <>                                                        \
  struct Derivation<From, To> {                                      \
    static constexpr std::string_view kLabel = "holdfast/v1/" label; \
  }

HF_DERIVATION(keys::DevicePurpose, SigningPurpose, "device/signing");
HF_DERIVATION(keys::DevicePurpose, WrapPurpose, "device/wrapping");
HF_DERIVATION(keys::DevicePurpose, keys::JournalPurpose, "device/journal");
HF_DERIVATION(keys::RecoveryPurpose, SigningPurpose, "recovery/signing");
HF_DERIVATION(keys::RecoveryPurpose, WrapPurpose, "recovery/wrapping");
HF_DERIVATION(keys::RecoveryPurpose, keys::CapsulePurpose, "recovery/capsule");
HF_DERIVATION(keys::RecoveryPurpose, keys::LocatePurpose, "recovery/locate");
HF_DERIVATION(keys::RootPurpose, keys::RootSealPurpose, "root/seal");
HF_DERIVATION(keys::RootPurpose, keys::EpochCheckPurpose, "root/check");
HF_DERIVATION(keys::VaultPurpose, keys::VaultLinkPurpose, "vault/link");
HF_DERIVATION(keys::VaultPurpose, keys::SegmentPurpose, "vault/segment");
HF_DERIVATION(keys::CuttingPurpose, keys::CutBlockPurpose, "cutting/block");
HF_DERIVATION(keys::CodePurpose, keys::JoinRequestPurpose, "admission/request");
HF_DERIVATION(keys::CodePurpose, keys::JoinAnswerPurpose, "admission/answer");
HF_DERIVATION(keys::CodePurpose, keys::JoinAdmittedPurpose, "admission/admitted");

#undef HF_DERIVATION

}  // namespace holdfast::crypto

namespace holdfast::keys {
using RootKey = crypto::Key<RootPurpose>;
using VaultKey = crypto::Key<VaultPurpose>;
using NamingKey = crypto::Key<NamingPurpose>;
using CuttingKey = crypto::Key<CuttingPurpose>;
using PackKey = crypto::Key<PackPurpose>;
using LocalIndexKey = crypto::Key<LocalIndexPurpose>;
using LookupKey = crypto::Key<LookupPurpose>;
using DeviceKey = crypto::Key<DevicePurpose>;
using RecoveryKey = crypto::Key<RecoveryPurpose>;
using CodeKey = crypto::Key<CodePurpose>;
}  // namespace holdfast::keys
