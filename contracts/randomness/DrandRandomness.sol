// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BLS} from "@kevincharm/bls-bn254/BLS.sol";
import {IDrandRandomness, IRandomness} from "../interfaces/IRandomness.sol";

/// @title DrandRandomness
/// @notice Beacons of a drand network of the scheme bls-bn254-unchained-on-g1 (`evmnet`), verified here and submitted by anybody: a round's
/// signature is one point, so nobody can choose it, and nobody can hold back what drand publishes.
contract DrandRandomness is IDrandRandomness {
    /// @notice Longest period and delay. Seconds.
    uint256 public constant MAX_SECONDS = 1 days;
    bytes internal constant TAG = "BLS_SIG_BN254G1_XMD:KECCAK-256_SVDW_RO_NUL_";

    /// @notice When round 1 was. Seconds.
    uint256 public immutable genesis;
    /// @notice Seconds from a round to the next.
    uint256 public immutable period;
    /// @notice A beacon is scheduled at least so many seconds ahead: more than this chain's clock may lag behind drand's.
    uint256 public immutable delay;

    uint256 internal immutable _keyX0;
    uint256 internal immutable _keyX1;
    uint256 internal immutable _keyY0;
    uint256 internal immutable _keyY1;

    mapping(uint256 round => bytes32) internal _seeds;

    /// @param publicKey Of the network, in the order in which drand publishes it: x1, x0, y1, y0 (the imaginary part first).
    constructor(uint256[4] memory publicKey, uint256 genesis_, uint256 period_, uint256 delay_) {
        if (genesis_ == 0 || genesis_ > type(uint40).max) revert InvalidParameter("genesis", genesis_);
        if (period_ == 0 || period_ > MAX_SECONDS) revert InvalidParameter("period", period_);
        if (delay_ == 0 || delay_ > MAX_SECONDS) revert InvalidParameter("delay", delay_);
        (_keyX1, _keyX0, _keyY1, _keyY0) = (publicKey[0], publicKey[1], publicKey[2], publicKey[3]);
        genesis = genesis_;
        period = period_;
        delay = delay_;

        uint256[4] memory key = [publicKey[1], publicKey[0], publicKey[3], publicKey[2]];
        if (!BLS.isValidPublicKey(key)) revert InvalidPublicKey();
        // On the curve is not enough: the precompile refuses what is not in the group. Any point will do as message and signature.
        uint256[2] memory generator = [uint256(1), 2];
        (, bool inGroup) = BLS.verifySingle(generator, key, generator);
        if (!inGroup) revert InvalidPublicKey();
    }

    /// @inheritdoc IRandomness
    /// @dev The first round at `delay` seconds from now or later: time of a round = genesis + (round - 1) * period
    function schedule() external view returns (uint256 id) {
        uint256 from = block.timestamp + delay;
        if (from <= genesis) return 1;
        return (from - genesis + period - 1) / period + 1;
    }

    /// @inheritdoc IDrandRandomness
    function submit(uint64 round, uint256[2] calldata signature) external {
        if (_seeds[round] != 0) revert RoundKnown(round);
        uint256[2] memory message = BLS.hashToPoint(TAG, abi.encodePacked(keccak256(abi.encodePacked(round))));
        if (!BLS.isValidSignature(signature)) revert InvalidSignature(round);
        (bool valid, bool called) = BLS.verifySingle(signature, [_keyX0, _keyX1, _keyY0, _keyY1], message);
        if (!valid || !called) revert InvalidSignature(round);

        // value = keccak256(x, y), drand's own randomness of a round
        bytes32 value = keccak256(abi.encodePacked(signature));
        _seeds[round] = value;
        emit Submitted(round, msg.sender, value);
    }

    /// @inheritdoc IRandomness
    function seed(uint256 id) external view returns (bytes32) {
        return _seeds[id];
    }
}
