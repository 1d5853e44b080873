// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EfficientHashLib} from "solady/utils/EfficientHashLib.sol";
import {LibSort} from "solady/utils/LibSort.sol";
import {IDisputes} from "../interfaces/IDisputes.sol";

/// @title Who sits on a jury, what its votes amount to, and which of them are paid.
library Jury {
    /// @notice Expected votes of a dispute's first jury; each later one has twice as many.
    uint256 internal constant FIRST_VOTES = 16;
    /// @notice A verdict needs as many votes.
    uint256 internal constant MIN_VOTES = 5;
    /// @notice A probe may be off its median by the median divided by this.
    uint256 internal constant PROBE_TOLERANCE_DIVISOR = 1000;

    /// @notice keccak256(abi.encode(beacon, id, round)), the seed of a round; zero while its beacon is unknown.
    function seed(bytes32 beacon, bytes32 id, uint256 round) internal pure returns (bytes32) {
        return beacon == 0 ? bytes32(0) : EfficientHashLib.hash(beacon, id, bytes32(round));
    }

    /// @notice votes = floor(k * w / W), and one more if keccak256(abi.encode(seed, operator)) mod W < k * w mod W; k = 16 * 2^round
    /// @dev So k * w / W on average, whatever the operator's address, and nobody gains by splitting its stake. Weights are below 2^90.
    /// @param weight w, the operator's.
    /// @param total W, all miners'; when it is zero there are no votes.
    function votes(bytes32 seed_, address operator, uint256 round, uint256 weight, uint256 total)
        internal
        pure
        returns (uint256 count)
    {
        if (total == 0) return 0;
        uint256 share = (FIRST_VOTES << round) * weight;
        count = share / total;
        bytes32 draw = EfficientHashLib.hash(seed_, bytes32(uint256(uint160(operator))));
        if (uint256(draw) % total < share % total) ++count;
    }

    /// @notice keccak256(abi.encode(id, round, operator, verdict, probe, salt)), what a juror commits to. It names the juror: a commitment that somebody copies is void.
    function commitment(
        bytes32 id,
        uint256 round,
        address operator,
        IDisputes.Verdict given,
        uint256 probe,
        bytes32 salt
    ) internal pure returns (bytes32) {
        bytes32 juror = bytes32(uint256(uint160(operator)));
        return EfficientHashLib.hash(id, bytes32(round), juror, bytes32(uint256(given)), bytes32(probe), salt);
    }

    /// @notice The verdict of a round: two thirds of at least `MIN_VOTES` votes of at least `minJurors` operators; else none.
    function verdict(uint256 guilty, uint256 innocent, uint256 jurors, uint256 minJurors)
        internal
        pure
        returns (IDisputes.Verdict)
    {
        uint256 all = guilty + innocent;
        if (all < MIN_VOTES || jurors < minJurors) return IDisputes.Verdict.None;
        if (3 * guilty >= 2 * all) return IDisputes.Verdict.Guilty;
        if (3 * innocent >= 2 * all) return IDisputes.Verdict.Innocent;
        return IDisputes.Verdict.None;
    }

    /// @notice Whether a vote is of those that are paid if its probe is right: those that said what came out; in a draw all.
    function isOfWinners(IDisputes.Verdict given, IDisputes.Verdict winner) internal pure returns (bool) {
        return winner == IDisputes.Verdict.None || given == winner;
    }

    /// @notice |probe - median| <= median / 1000
    function isNear(uint256 probe, uint256 median) internal pure returns (bool) {
        uint256 distance = probe < median ? median - probe : probe - median;
        return distance <= median / PROBE_TOLERANCE_DIVISOR;
    }

    /// @notice The winners' median probe, each counted as often as it has votes, and how many votes are near it.
    /// @dev The loops end: the votes of all operators are 16 * 2^round on average, and no more operators than those can reveal.
    function settle(IDisputes.Vote[] memory cast, IDisputes.Verdict winner)
        internal
        pure
        returns (uint256 median, uint256 paidVotes)
    {
        // probe * 2^8 + votes, so that one sort orders both
        uint256[] memory probes = new uint256[](cast.length);
        uint256 count;
        uint256 sum;
        for (uint256 i; i < cast.length; ++i) {
            if (!isOfWinners(cast[i].verdict, winner)) continue;
            probes[count++] = uint256(cast[i].probe) << 8 | cast[i].votes;
            sum += cast[i].votes;
        }
        if (sum == 0) return (0, 0);
        // The rest stays zero: sort only what is used.
        assembly ("memory-safe") {
            mstore(probes, count)
        }
        LibSort.insertionSort(probes);

        // median = the least probe up to which there are half of the votes
        uint256 below;
        for (uint256 i; 2 * below < sum; ++i) {
            below += probes[i] & 0xff;
            median = probes[i] >> 8;
        }
        for (uint256 i; i < count; ++i) {
            if (isNear(probes[i] >> 8, median)) paidVotes += probes[i] & 0xff;
        }
    }
}
