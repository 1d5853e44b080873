//! The ways to cheat at a result.

/// A way to cheat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cheat {
    /// Noise for a picture, and noise for states.
    RandomPicture,
    /// Noise for a picture, and bits for states that are not all numbers.
    RandomBits,
    /// The first picture that it ever drew, with its trace, for every request.
    CachedPicture,
    /// Honest work for another seed.
    WrongSeed,
    /// Half of the steps, each state shown twice.
    FewerSteps,
    /// Steps without guidance, at half the cost.
    NoGuidance,
    /// Weights and what they are multiplied with in 256 levels.
    Int8,
    /// What the network gave, used for two steps.
    FeatureCaching,
    /// Weights in a quarter of the bits.
    Int8Weights,
    /// The model without its middle block.
    SmallerModel,
    /// Another checkpoint under this one's name.
    WrongModel,
    /// The true first state, then half of the steps, and states in between made up on straight lines.
    ForgedTrace,
    /// The true first state on the trace of another seed.
    SplicedTrace,
    /// An honest trace whose last state is that of another picture.
    LateState,
    /// Each step off by nine tenths of what is tolerated, always towards the picture of another seed.
    Bias,
    /// An honest trace with another picture.
    SwappedPicture,
}

impl Cheat {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::RandomPicture,
        Self::RandomBits,
        Self::CachedPicture,
        Self::WrongSeed,
        Self::FewerSteps,
        Self::NoGuidance,
        Self::Int8,
        Self::FeatureCaching,
        Self::Int8Weights,
        Self::SmallerModel,
        Self::WrongModel,
        Self::ForgedTrace,
        Self::SplicedTrace,
        Self::LateState,
        Self::Bias,
        Self::SwappedPicture,
    ];

    /// What it is called in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::RandomPicture => "random picture",
            Self::RandomBits => "random picture, states no numbers",
            Self::CachedPicture => "cached picture",
            Self::WrongSeed => "wrong seed",
            Self::FewerSteps => "fewer steps",
            Self::NoGuidance => "no guidance",
            Self::Int8 => "int8",
            Self::FeatureCaching => "feature caching",
            Self::Int8Weights => "int8 weights only",
            Self::SmallerModel => "smaller model (no middle block)",
            Self::WrongModel => "wrong model (another checkpoint)",
            Self::ForgedTrace => "forged trace",
            Self::SplicedTrace => "spliced trace",
            Self::LateState => "one late state substituted",
            Self::Bias => "bias within τ at every step",
            Self::SwappedPicture => "honest trace, swapped picture",
        }
    }

    /// Whether what it hands in is tolerated: it is no cheat then by the protocol's own measure, and nobody is slashed for it.
    pub fn is_tolerated(self) -> bool {
        self == Self::Bias
    }
}
