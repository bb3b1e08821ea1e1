#include "round_trip.h"
#include "tlog/leaves.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast;
  using namespace holdfast::tlog;
  // Seeds name a type by its place here: new ones go to the end.
  fuzz::round_trip_one_of<LogRoots, MapEpoch, PolicyLeaf, CustodyKey, DeletionReceipt,
                          SoftwareRelease, TrustChange, ReleaseBatch, MapDelta, MapProof, Promise,
                          SignedPromise, Audit, SignedAudit, AuditBody, SeriesProof, LeafProof,
                          BatchEntry, BatchOpening, PositionProof, Policy, SignedPolicy>(data,
                                                                                         size);
  if (size > 0) static_cast<void>(decode_leaf(BytesView(data, size).subspan(1)));
  return 0;
}
