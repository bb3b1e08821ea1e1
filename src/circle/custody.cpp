#include "circle/custody.h"

#include "circle/applier.h"
#include "crypto/labelled.h"

namespace holdfast::circle {
namespace {

Bytes custodian_bytes(const CircleId& circle, BytesView wrap_key) {
  return crypto::labelled_message(kCustodianLabel, wire::encode_array(circle, wrap_key));
}

}  // namespace

ReaderId reader_id(const CustodianInfo& custodian) {
  return id_of_keys(custodian.fleet_key, custodian.wrap_key);
}

CustodianInfo sign_custodian(const crypto::Ed25519Key& fleet, const CircleId& circle,
                             const crypto::WrapPublicKey& wrap_key) {
  return {wrap_key.bytes, fleet.public_key().bytes,
          fleet.sign(custodian_bytes(circle, wrap_key.bytes))};
}

Result<void> verify_custodian(const CircleId& circle, const CustodianInfo& custodian) {
  if (!crypto::ed25519_verify({custodian.fleet_key}, custodian_bytes(circle, custodian.wrap_key),
                              custodian.signature))
    return broken("its custodian's key was not issued for this account");
  return Ok{};
}

Bytes sign_receipt(const crypto::Ed25519Key& fleet, const DeletionReceipt& receipt) {
  SignedReceipt out;
  out.receipt = wire::encode(receipt);
  out.signature = fleet.sign(crypto::labelled_message(kReceiptLabel, out.receipt));
  return wire::encode(out);
}

Result<DeletionReceipt> verify_receipt(const CircleId& circle, const CustodianInfo& custodian,
                                       BytesView signed_receipt) {
  const auto outer = TRY(wire::decode<SignedReceipt>(signed_receipt));
  if (!crypto::ed25519_verify({custodian.fleet_key},
                              crypto::labelled_message(kReceiptLabel, outer.receipt),
                              outer.signature))
    return Error{Code::kUnsafe, "a receipt is not signed by the custodian's fleet"};
  auto receipt = TRY(wire::decode<DeletionReceipt>(outer.receipt));
  if (receipt.circle != circle || receipt.custodian != reader_id(custodian))
    return Error{Code::kUnsafe, "a receipt is of another account or another custodian"};
  return receipt;
}

}  // namespace holdfast::circle
