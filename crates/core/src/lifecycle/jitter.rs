//! An even spread that is stable for an account: waits and renewals of many accounts must not come at once, and
//! those of one must be explainable.

use std::time::Duration;

/// A share of `span`, from 0 to all of it: the same for the same seed and turn, different between seeds.
pub(crate) fn share_of(span: Duration, seed: u64, turn: u32) -> Duration {
    // SplitMix64's mixing step: nothing but an even spread is wanted of it.
    let mut mixed = seed.wrapping_add(u64::from(turn).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let share = u32::try_from((mixed ^ (mixed >> 31)) % 10_000).unwrap_or_default();
    span / 10_000 * share
}

#[cfg(test)]
mod tests {
    use super::share_of;
    use std::time::Duration;

    #[test]
    fn shares_are_stable_within_the_span_and_even() {
        let span = Duration::from_mins(2);
        let mut quarters = [0_u32; 4];
        for seed in 0..4000 {
            let share = share_of(span, seed, 1);
            assert_eq!(share, share_of(span, seed, 1));
            assert!(share < span);
            quarters[usize::try_from(share.as_secs() / 30).unwrap()] += 1;
        }
        assert!(quarters.iter().all(|&n| (900..1100).contains(&n)), "{quarters:?}");
        assert_ne!(share_of(span, 1, 1), share_of(span, 1, 2));
    }

    /// The published outputs of `SplitMix64` for the seed 1234567; their last four digits are the share.
    #[test]
    fn the_spread_is_that_of_the_published_generator() {
        let outputs: [u64; 5] = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        for (turn, output) in (1..).zip(outputs) {
            let share = Duration::from_micros(output % 10_000);
            assert_eq!(
                share_of(Duration::from_millis(10), 1_234_567, turn),
                share,
                "{output}"
            );
        }
    }
}
