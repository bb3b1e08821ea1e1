// What a second of the custodian's token is: operations of the product's own calls, one after the
// other, with SoftHSM2 in this process. An HSM of its own has other numbers: this says what the
// code around it costs at least, and that nothing in it is slow.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>

#include "circle/custody.h"
#include "custody/custodian.h"
#include "keys/envelopes.h"
#include "support/journey.h"
#include "support/test_token.h"

namespace holdfast::bench {
namespace {

constexpr int kRuns = 5;

// Operations a second: the median of some runs, the least and the greatest.
void tell(const char* what, int count, const std::function<void(int)>& work) {
  std::vector<double> rates;
  for (int run = 0; run < kRuns; ++run) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < count; ++i) work(run * count + i);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    rates.push_back(count / took.count());
  }
  std::ranges::sort(rates);
  std::printf("%-52s %9.0f a second (%.0f-%.0f)\n", what, rates[kRuns / 2], rates.front(),
              rates.back());
}

void measure() {
  constexpr int kKeys = 60;
  const custody::TestToken place;
  const auto token = must(custody::Token::open(place.place()));
  CircleId circle;
  crypto::random_fill(circle.bytes);
  const Bytes context = to_bytes(as_bytes("bench"));
  const auto seed = crypto::Key<crypto::WrapPurpose>::random();
  const auto object = [&](int n) {
    return custody::KeyObject{circle, static_cast<std::uint64_t>(n) + 1};
  };
  tell("token: a key object made", kKeys, [&](int n) { must_do(token->make(object(n))); });
  std::vector<Bytes> sealed(kKeys * kRuns);
  tell("token: a seed sealed", kKeys, [&](int n) {
    sealed[static_cast<std::size_t>(n)] = must(token->seal(object(n), context, seed));
  });
  tell("token: a seed opened", kKeys,
       [&](int n) { must(token->open(object(n), context, sealed[static_cast<std::size_t>(n)])); });

  const keys::Place vault{circle, 1, *VaultId::from(Bytes(VaultId::kSize, 1))};
  const auto key = keys::VaultKey::random();
  const Bytes envelope = must(keys::wrap_vault_key(key, vault, crypto::wrap_public_key(seed)));
  tell("an envelope opened (HPKE, X-Wing), in the process", kKeys,
       [&](int) { must(keys::unwrap_vault_key(seed, vault, envelope)); });
  tell("a vault key unwrapped: seed opened, then envelope", kKeys, [&](int n) {
    const auto own = must(token->open(object(n), context, sealed[static_cast<std::size_t>(n)]));
    must(keys::unwrap_vault_key(own, vault, envelope));
  });

  const crypto::Ed25519Key fleet(crypto::Key<crypto::Ed25519Purpose>::random());
  circle::DeletionReceipt receipt;
  receipt.circle = circle;
  tell("a receipt signed (Ed25519, in the process)", kKeys * 20,
       [&](int) { circle::sign_receipt(fleet, receipt); });
  tell("token: a key object destroyed", kKeys, [&](int n) { must_do(token->destroy(object(n))); });
}

}  // namespace
}  // namespace holdfast::bench

int main() {
  holdfast::bench::measure();
  return 0;
}
