#include "round_trip.h"
#include "tlog/age.h"
#include "tlog/leaves.h"
#include "tlog/test_site.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast;
  using namespace holdfast::tlog;
  // Seeds name a type by its place here: new ones go to the end.
  fuzz::round_trip_one_of<LogRoots, MapEpoch, PolicyLeaf, CustodyKey, DeletionReceipt,
                          SoftwareRelease, TrustChange, ReleaseBatch, MapDelta, MapProof, Promise,
                          SignedPromise, Audit, SignedAudit, AuditBody, SeriesProof, LeafProof,
                          BatchEntry, BatchOpening, PositionProof, Policy, SignedPolicy,
                          AgeEvidence, RecordPromise, LawfulHead, LawfulReport>(data, size);
  if (size == 0) return 0;
  const BytesView rest = BytesView(data, size).subspan(1);
  static_cast<void>(decode_leaf(rest));
  // Of the witnesses of the seed, none of whom a fuzzer can sign for.
  static const TrustedLog log = testkit::TestSite().trusted();
  static_cast<void>(verify_age(log, {}, rest));
  return 0;
}
