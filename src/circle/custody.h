// What the provider's fleet key signs of an account: the key of its custodian, and the receipt of
// that key's destruction. Ed25519 over `label || SHA-256(bytes)`; docs/formats/circle.md.
//
// Who holds the fleet key can issue a key to itself. That makes it a reader only where a statement
// of the circle takes it in, which a device must sign. A receipt says what the provider did;
// whether it kept a copy, nothing can show.
#pragma once

#include "circle/format.h"

namespace holdfast::circle {

inline constexpr std::string_view kCustodianLabel = "holdfast/v1/custodian-key";
inline constexpr std::string_view kReceiptLabel = "holdfast/v1/custodian-receipt/sig";

ReaderId reader_id(const CustodianInfo& custodian);

CustodianInfo sign_custodian(const crypto::Ed25519Key& fleet, const CircleId& circle,
                             const crypto::WrapPublicKey& wrap_key);
// kUnsafe unless its fleet key issued it for this circle.
Result<void> verify_custodian(const CircleId& circle, const CustodianInfo& custodian);

Bytes sign_receipt(const crypto::Ed25519Key& fleet, const DeletionReceipt& receipt);
// kUnsafe unless the fleet key of this custodian signed it, for it.
Result<DeletionReceipt> verify_receipt(const CircleId& circle, const CustodianInfo& custodian,
                                       BytesView signed_receipt);

}  // namespace holdfast::circle
