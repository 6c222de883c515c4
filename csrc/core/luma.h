// The luma that luma models take: BT.601 of R'G'B', in limited range.
#pragma once

namespace rrt {

// Green has the rest.
inline constexpr float kRedWeight = 0.299f;
inline constexpr float kBlueWeight = 0.114f;
inline constexpr float kBlack = 16.0f / 255.0f;
inline constexpr float kLumaSpan = 219.0f / 255.0f;

}  // namespace rrt
