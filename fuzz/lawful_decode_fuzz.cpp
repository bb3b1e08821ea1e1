#include "lawful/demand.h"
#include "lawful/law.h"
#include "lawful/order.h"
#include "lawful/trail.h"
#include "round_trip.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast;
  using namespace holdfast::lawful;
  // Seeds name a type by its place here: new ones go to the end.
  fuzz::round_trip_one_of<SignedEntry, Entry, ReceivedDocument, CheckedDocument, NoteDocument,
                          ApprovedDocument, ProducedDocument, PreservedDocument, StageDocument,
                          ReportDocument, HeadOpening, SignedOrder, DisclosureOrder>(data, size);
  if (size == 0) return 0;
  const BytesView rest = BytesView(data, size).subspan(1);
  static_cast<void>(read_demand(rest));
  static_cast<void>(read_jurisdiction(rest));
  static_cast<void>(Trail(Roster()).apply({to_bytes(rest), {}}));
  return 0;
}
