#include "net/client_answer.h"

#include <gtest/gtest.h>

#include "api/format.h"

namespace holdfast::net {
namespace {

TEST(AnswerReader, HasNoAnswerBeforeItsEnd) {
  const std::string all = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
  for (std::size_t n = 0; n < all.size(); ++n) {
    AnswerReader reader(100);
    const auto put = reader.put(as_bytes(all).first(n));
    ASSERT_TRUE(put.ok()) << n;
    EXPECT_FALSE(*put) << n;
  }
}

bool is_refused(std::string_view all) {
  AnswerReader reader(100);
  for (std::size_t n = 0; n < all.size(); ++n)
    if (!reader.put(as_bytes(all).subspan(n, 1)).ok()) return true;
  return false;
}

TEST(AnswerReader, AnAnswerSaysHowLongItIs) {
  EXPECT_FALSE(is_refused("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_TRUE(is_refused("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"));
  EXPECT_TRUE(is_refused("HTTP/1.1 200 OK\r\n\r\nabc"));
  EXPECT_TRUE(is_refused("HTTP/1.0 200 OK\r\n\r\nabc"));
  EXPECT_TRUE(is_refused("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"));
}

TEST(AnswerReader, IsTheSameHoweverItIsCut) {
  const std::string all = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
  for (std::size_t n = 0; n < all.size(); ++n) {
    AnswerReader reader(100);
    if (n > 0) {
      EXPECT_TRUE(reader.put(as_bytes(all).first(n)).ok()) << n;
    }
    const auto whole = reader.put(as_bytes(all).subspan(n));
    ASSERT_TRUE(whole.ok() && *whole) << n;
    const Answer answer = reader.take();
    EXPECT_EQ(answer.status, 200U);
    EXPECT_EQ(as_text(answer.body), "abc");
    EXPECT_TRUE(answer.keep_alive);
  }
}

TEST(AnswerReader, TakesNoMoreThanItsCallerDoes) {
  for (const std::string all :
       {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd",
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\nabcd",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"})
    EXPECT_FALSE(AnswerReader(3).put(as_bytes(all)).ok()) << all;
}

Answer refused(std::int64_t time) {
  return {403, wire::encode(api::ErrorBody{1, "no\x1b[2J\n\u0085", time}), true};
}

TEST(AnswerReader, ATimeThatNoClockShowsIsNoTime) {
  EXPECT_EQ(service_time(refused(1'700'000'000'000)), 1'700'000'000'000);
  for (const std::int64_t time : {INT64_MIN, std::int64_t{0}, INT64_MAX, INT64_MAX - 1})
    EXPECT_EQ(service_time(refused(time)), std::nullopt) << time;
}

TEST(AnswerReader, ASentenceCannotSteerATerminal) {
  const Error error = refusal(refused(1), "host");
  EXPECT_EQ(error.code, Code::kDenied);
  EXPECT_EQ(error.message, "no[2J??");
  EXPECT_EQ(refusal({502, Bytes{1, 2}, false}, "host").code, Code::kUnavailable);
}

}  // namespace
}  // namespace holdfast::net
