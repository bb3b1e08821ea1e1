// The log's promise that a statement, or a record, will be in the map soon. Signed, so that
// breaking it is evidence: whoever controls the log can break it, not deny it.
#pragma once

#include "tlog/checkpoint.h"
#include "tlog/format.h"

namespace holdfast::tlog {

constexpr std::uint64_t kMaxPromise_s = 10 * 60;

Bytes sign_promise(const LogSigner& log, const Promise& promise);  // an encoded SignedPromise
Bytes sign_promise(const LogSigner& log, const RecordPromise& promise);
// kUnsafe unless the log signed it.
Result<Promise> verify_promise(const TrustedLog& log, BytesView signed_promise);
Result<RecordPromise> verify_record_promise(const TrustedLog& log, BytesView signed_promise);

// True once a map without what was promised by `include_by_s` is evidence: a witness saw this
// checkpoint, or a later one that it is still the newest of, after the promise was due.
bool is_due(std::uint64_t include_by_s, const ProvenTime& checkpoint);

}  // namespace holdfast::tlog
