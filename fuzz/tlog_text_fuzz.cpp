// The formats of C2SP: what a parser accepts, it spells the same.
#include "round_trip.h"
#include "tlog/add_checkpoint.h"
#include "tlog/base64.h"
#include "tlog/tile.h"

namespace {

using namespace holdfast;
using namespace holdfast::tlog;

void same(std::string_view again, std::string_view text) {
  if (again != text) std::abort();
}

void run(std::uint8_t choice, std::string_view text) {
  switch (choice % 7) {
    case 0:
      if (const auto note = Note::parse(as_bytes(text)); note.ok()) same(note->format(), text);
      break;
    case 1:
      if (const auto key = NoteKey::parse(text); key.ok()) same(key->format(), text);
      break;
    case 2:
      if (const auto body = CheckpointText::parse(text); body.ok()) same(body->format(), text);
      break;
    case 3:
      if (const auto request = AddCheckpoint::parse(as_bytes(text)); request.ok())
        same(request->format(), text);
      break;
    case 4:
      if (const auto tile = parse_tile_path(text); tile.ok()) same(tile_path(*tile), text);
      break;
    case 5:
      if (const auto bytes = base64_decode(text); bytes) same(base64_encode(*bytes), text);
      break;
    default: {
      const auto width = static_cast<std::uint16_t>(1 + choice / 7);
      if (const auto entries = decode_bundle(as_bytes(text), width); entries.ok())
        same(as_text(encode_bundle(*entries)), text);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 0) run(data[0], as_text(BytesView(data, size).subspan(1)));
  return 0;
}
