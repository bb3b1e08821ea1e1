#include "tlog/promise.h"

#include "tlog/signed.h"

namespace holdfast::tlog {
namespace {

constexpr std::string_view kSignLabel = "holdfast/v1/promise/sig";

}  // namespace

Bytes sign_promise(const LogSigner& log, const Promise& promise) {
  SignedPromise out;
  out.promise = wire::encode(promise);
  out.signature = log.raw().sign(labelled_message(kSignLabel, out.promise));
  return wire::encode(out);
}

Result<Promise> verify_promise(const TrustedLog& log, BytesView signed_promise) {
  const auto outer = TRY(wire::decode<SignedPromise>(signed_promise));
  if (!crypto::ed25519_verify(log.log().key, labelled_message(kSignLabel, outer.promise),
                              outer.signature))
    return Error{Code::kUnsafe, "a promise of inclusion is not signed by the log"};
  return wire::decode<Promise>(outer.promise);
}

bool is_due(const Promise& promise, const ProvenTime& checkpoint) {
  return checkpoint.current_at > promise.include_by_s;
}

}  // namespace holdfast::tlog
