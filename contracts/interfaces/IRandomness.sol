// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title A source of randomness that is fixed before it is known.
interface IRandomness {
    /// @notice Names a beacon that is fixed now and known to nobody yet.
    /// @return id Of the beacon, below 2^64; for the same second (or block) it is the same for everybody.
    /// @custom:caller Anybody.
    function schedule() external returns (uint256 id);

    /// @notice The beacon's value; zero while it is unknown. Once it is not zero it never changes to another value.
    /// @param id From `schedule`.
    function seed(uint256 id) external view returns (bytes32);
}

/// @title Beacons of a drand network, verified on chain.
/// @dev `round` counts the network's beacons from 1; it is the `id` of a beacon here.
/// @custom:reverts-packages BNAddFailed, InvalidDSTLength, InvalidFieldElement, MapToPointFailed, ModExpFailed
interface IDrandRandomness is IRandomness {
    /// @notice A constructor argument outside its bounds: `name` is `value`.
    error InvalidParameter(string name, uint256 value);
    /// @notice Not a point of the curve's group that keys are of.
    error InvalidPublicKey();
    /// @notice Not the network's signature of this round.
    error InvalidSignature(uint256 round);
    /// @notice The round is here already.
    error RoundKnown(uint256 round);

    /// @notice A beacon arrived, brought by `caller`: `value` is what `seed` says of this round from now on.
    event Submitted(uint256 indexed round, address indexed caller, bytes32 value);

    /// @notice Brings the signature of a round.
    /// @param round Of the network, from 1.
    /// @param signature Point of G1: x, y.
    /// @custom:caller Anybody.
    /// @custom:reverts InvalidSignature, RoundKnown
    function submit(uint64 round, uint256[2] calldata signature) external;
}

/// @title Hashes of blocks, for development chains.
interface IBlockHashRandomness is IRandomness {
    /// @notice Block `id` has no hash yet, or is more than 256 blocks before `current`, the block of now.
    error HashUnknown(uint256 id, uint256 current);

    /// @notice The beacon's value was written down: block `id` has the hash `value`.
    event Stored(uint256 indexed id, bytes32 value);

    /// @notice Keeps a beacon's value, which the chain forgets after 256 blocks.
    /// @param id From `schedule`.
    /// @custom:caller Anybody.
    /// @custom:reverts HashUnknown
    function store(uint256 id) external;
}
