#include "round_trip.h"
#include "vault/format.h"
#include "vault/home_format.h"
#include "vault/log_format.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast::vault;
  // Seeds name a type by its place here: new ones go to the end.
  holdfast::fuzz::round_trip_one_of<Authenticated, JoinRequest, JoinAnswer, JoinCounter, Capsule,
                                    DeviceFile, PassphraseFields, LogPins, Evidence, LossNotes,
                                    Contradictions>(data, size);
  return 0;
}
