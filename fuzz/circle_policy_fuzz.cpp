// The rules of a policy, from arbitrary bytes: what is accepted has one spelling, keeps its own
// rules, and is judged the same way for a region whatever comes before it in the list.
#include "circle/policy.h"

using namespace holdfast;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const BytesView bytes(data, size);
  const auto rules = circle::decode_rules(bytes);
  if (!rules.ok()) return 0;
  HF_CHECK(circle::check_rules(*rules).ok());
  const Bytes again = wire::encode(*rules);
  HF_CHECK(std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()));
  for (const circle::RegionTerms& one : rules->regions) {
    const auto standing = circle::judge(&*rules, one.region, 1'800'000'000);
    HF_CHECK(standing.terms == one.terms);
    HF_CHECK(!standing.paused || !standing.may_enable);
  }
  HF_CHECK(circle::judge(&*rules, "", 0).terms == rules->others);
  return 0;
}
