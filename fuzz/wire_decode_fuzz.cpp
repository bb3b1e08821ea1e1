// Every format of the circle, from arbitrary bytes: what decodes re-encodes to the same bytes.
// The first byte chooses the format.
#include "circle/format.h"

using namespace holdfast;

namespace {

template <class T>
void one_spelling(BytesView bytes) {
  const auto value = wire::decode<T>(bytes);
  if (!value.ok()) return;
  const Bytes again = wire::encode(*value);
  HF_CHECK(std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()));
}

template <class... Types>
void choose(std::uint8_t which, BytesView bytes) {
  std::size_t at = 0;
  ((at++ == which % sizeof...(Types) ? one_spelling<Types>(bytes) : void()), ...);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast::circle;
  if (size == 0) return 0;
  const BytesView bytes(data + 1, size - 1);
  choose<SignedStatement, Statement, Genesis, Admit, Remove, Rotate, SetVault, SetRegion,
         SetRecovery, Recover, SignedRecord, Record, TrustRoots, EpochInfo, DeviceInfo,
         RecoveryInfo>(data[0], bytes);
  return 0;
}
