#include "tlog/promise.h"

#include "crypto/labelled.h"

namespace holdfast::tlog {
namespace {

constexpr std::string_view kPromiseLabel = "holdfast/v1/promise/sig";
constexpr std::string_view kSignRecordLabel = "holdfast/v1/record-promise/sig";

Bytes sign(const LogSigner& log, std::string_view label, Bytes promise) {
  SignedPromise out;
  out.promise = std::move(promise);
  out.signature = log.raw().sign(crypto::labelled_message(label, out.promise));
  return wire::encode(out);
}

Result<Bytes> open(const TrustedLog& log, std::string_view label, BytesView signed_promise) {
  auto outer = TRY(wire::decode<SignedPromise>(signed_promise));
  if (!crypto::ed25519_verify(log.log().key, crypto::labelled_message(label, outer.promise),
                              outer.signature))
    return Error{Code::kUnsafe, "a promise of inclusion is not signed by the log"};
  return std::move(outer.promise);
}

}  // namespace

Bytes sign_promise(const LogSigner& log, const Promise& promise) {
  return sign(log, kPromiseLabel, wire::encode(promise));
}

Bytes sign_promise(const LogSigner& log, const RecordPromise& promise) {
  return sign(log, kSignRecordLabel, wire::encode(promise));
}

Result<Promise> verify_promise(const TrustedLog& log, BytesView signed_promise) {
  const Bytes promise = TRY(open(log, kPromiseLabel, signed_promise));
  return wire::decode<Promise>(promise);
}

Result<RecordPromise> verify_record_promise(const TrustedLog& log, BytesView signed_promise) {
  const Bytes promise = TRY(open(log, kSignRecordLabel, signed_promise));
  return wire::decode<RecordPromise>(promise);
}

bool is_due(std::uint64_t include_by_s, const ProvenTime& checkpoint) {
  return checkpoint.current_at > include_by_s;
}

}  // namespace holdfast::tlog
