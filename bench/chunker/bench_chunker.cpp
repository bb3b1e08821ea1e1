// How fast content is cut, and named: a core's rate over incompressible bytes in memory, the best
// of several rounds. Prints JSON.
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "archive/chunker.h"
#include "crypto/hash.h"

namespace {

using namespace holdfast;

constexpr std::size_t kSize = 64U << 20;
constexpr int kRounds = 15;

template <class Work>
double best_rate(const Work& work) {
  double best = 0;
  for (int round = 0; round < kRounds; ++round) {
    const auto began = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    best = std::max(best, static_cast<double>(kSize) / took.count() / 1e9);
  }
  return best;
}

}  // namespace

int main() {
  Bytes data(kSize);
  crypto::random_fill(data);
  const auto key = keys::CuttingKey::random();
  archive::Chunker chunker(key);
  std::size_t chunks = 0;
  const double cutting = best_rate([&] {
    chunks = 0;
    for (BytesView rest(data); !rest.empty(); ++chunks)
      rest = rest.subspan(
          chunker.cut(rest.first(std::min<std::size_t>(rest.size(), archive::kMaxChunk))));
  });
  Bytes blocks(16 * 4096);
  const auto block_key = keys::CuttingKey::random();
  crypto::BlockFunction function(crypto::derive<keys::CutBlockPurpose>(block_key));
  const double ciphering = best_rate([&] {
    for (std::size_t done = 0; done < kSize; done += blocks.size() / 16) function.apply(blocks);
  });
  const double naming = best_rate([&] { crypto::sha256(data); });
  std::printf(
      "{\"cut_gb_s\": %.2f, \"blocks_g_s\": %.2f, \"sha256_gb_s\": %.2f, \"chunks\": %zu}\n",
      cutting, ciphering, naming, chunks);
  return 0;
}
