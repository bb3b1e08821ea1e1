#include "round_trip.h"
#include "server/format.h"
#include "server/operators.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast;
  // Seeds name a type by its place here: new ones go to the end.
  fuzz::round_trip_one_of<server::SignedTrailEntry, server::TrailEntry, server::LogHeads>(data,
                                                                                          size);
  if (size > 0)
    static_cast<void>(server::Trail::verify({to_bytes(BytesView(data, size).subspan(1))}));
  return 0;
}
