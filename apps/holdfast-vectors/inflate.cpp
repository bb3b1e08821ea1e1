#include "inflate.h"

#include <zlib.h>

#include <memory>

#include "base/result.h"

namespace holdfast::vectors {

namespace {

constexpr std::size_t kLimit = std::size_t{256} << 20;

struct End {
  void operator()(z_stream* stream) const { inflateEnd(stream); }
};

}  // namespace

std::optional<Bytes> inflate(BytesView bytes) {
  if (bytes.size() > kLimit) return std::nullopt;
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) return std::nullopt;
  const std::unique_ptr<z_stream, End> end(&stream);
  stream.next_in = const_cast<Bytef*>(bytes.data());  // zlib only reads it
  stream.avail_in = static_cast<uInt>(bytes.size());
  Bytes out;
  int state = Z_OK;
  while (state == Z_OK && out.size() < kLimit) {
    const std::size_t before = out.size();
    out.resize(before + (std::size_t{64} << 10));
    stream.next_out = out.data() + before;
    stream.avail_out = static_cast<uInt>(out.size() - before);
    state = ::inflate(&stream, Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
  }
  if (state != Z_STREAM_END || stream.avail_in != 0) return std::nullopt;
  return out;
}

}  // namespace holdfast::vectors
