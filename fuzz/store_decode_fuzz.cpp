#include "round_trip.h"
#include "store/format.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast::store;
  // Seeds name a type by its place here: new ones go to the end.
  holdfast::fuzz::round_trip_one_of<Entry, AdmissionEntry>(data, size);
  return 0;
}
