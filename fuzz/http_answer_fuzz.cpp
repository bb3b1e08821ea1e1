// What a hostile service answers: the first byte says how the bytes are cut into pieces, the second
// how much a caller takes. However they are cut, they are the same answer.
#include "api/format.h"
#include "net/client_answer.h"

using namespace holdfast;

namespace {

struct Outcome {
  bool failed = false;
  std::size_t used = 0;  // of the bytes, until the answer was whole
  std::optional<net::Answer> answer;
};

Outcome read_in_pieces(BytesView bytes, std::size_t step, std::size_t most) {
  net::AnswerReader reader(most);
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t size = std::min(step, bytes.size() - at);
    const auto whole = reader.put(bytes.subspan(at, size));
    at += size;
    if (!whole.ok()) return {true, at, {}};
    if (*whole) return {false, at, reader.take()};
  }
  return {true, bytes.size(), {}};  // the connection ended too soon
}

void check(const net::Answer& answer, std::size_t most) {
  HF_CHECK(answer.body.size() <= most && answer.body.capacity() <= 2 * most + 4096);
  const Error error = net::refusal(answer, "h");
  for (const char c : error.message) HF_CHECK(static_cast<unsigned char>(c) >= ' ' && c != 0x7f);
  const auto time = net::service_time(answer);
  HF_CHECK(!time || *time > 0);
  // As a device makes its proofs a day later: no sum may overflow.
  constexpr TimeMs kNow = 1'700'000'000'000;
  constexpr TimeMs kDay = 24 * 60 * 60 * 1000;
  if (time) HF_CHECK(kNow + kDay + (*time - kNow) > 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const BytesView bytes(data + 2, size - 2);
  const std::size_t most = std::size_t{16} * data[1];
  const Outcome whole = read_in_pieces(bytes, SIZE_MAX, most);
  const Outcome cut = read_in_pieces(bytes, std::size_t{1} + data[0] % 64, most);
  HF_CHECK(whole.failed == cut.failed);
  if (whole.failed) return 0;
  HF_CHECK(whole.answer->status == cut.answer->status && whole.answer->body == cut.answer->body &&
           whole.answer->keep_alive == cut.answer->keep_alive);
  check(*whole.answer, most);
  return 0;
}
