#include "api/format.h"
#include "round_trip.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast::api;
  // Seeds name a type by its place here: new ones go to the end.
  holdfast::fuzz::round_trip_one_of<RequestProof, AppendBody, ErrorBody, PageBody, PacksBody,
                                    HaveBody, UsageBody, ConnectionsBody, ReceiptBody, AdmittedBody,
                                    CapsuleBody, JoinsBody, ChangeBody, LogViewBody, BatchesBody,
                                    TimesBody>(data, size);
  return 0;
}
