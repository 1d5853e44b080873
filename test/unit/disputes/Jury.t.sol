// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {IDisputes} from "../../../contracts/interfaces/IDisputes.sol";
import {Jury} from "../../../contracts/libraries/Jury.sol";

contract JuryTest is Test {
    uint256 internal constant OPERATORS = 8;
    uint256 internal constant DISPUTES = 100_000;

    function test_noVotesWithoutWeight() public pure {
        assertEq(Jury.votes("seed", address(1), 0, 0, 0), 0, "nobody has weight");
        assertEq(Jury.votes("seed", address(1), 0, 0, 100), 0);
        assertEq(Jury.votes("seed", address(1), 0, 100, 100), 16, "alone");
        assertEq(Jury.votes("seed", address(1), 1, 100, 100), 32);
        assertEq(Jury.votes("seed", address(1), 2, 100, 100), 64);
    }

    /// @notice Whole votes are certain, the fraction is drawn; so votes are never more than one away from k * w / W.
    function testFuzz_votesAreAroundTheShare(bytes32 seed, address operator, uint8 round, uint96 weight, uint96 others)
        public
        pure
    {
        uint256 k = 16 << (round %= 3);
        uint256 total = uint256(weight) + others;
        vm.assume(total != 0);
        uint256 votes = Jury.votes(seed, operator, round, weight, total);
        uint256 whole = k * weight / total;
        assertTrue(votes == whole || (votes == whole + 1 && k * weight % total != 0));
        assertLe(votes, 64, "fits into the byte that a commitment gives it");
    }

    /// @notice Selected votes follow weight: 100,000 disputes among eight miners of very different weights.
    /// @dev Every vote that is drawn (not certain) is a Bernoulli trial with p = fraction. Pearson's statistic over the operators,
    /// sum (observed - n p)^2 / (n p (1 - p)), has then a chi-square distribution with 8 degrees of freedom: above 26.12 in one
    /// of a thousand runs. The seeds are fixed, so it is the same run each time; with a modulus off by a few percent it is in the hundreds.
    function test_selectedVotesFollowWeight() public pure {
        // Sum 3,000: shares of 16 votes from 0.107 to 5.867.
        uint256[OPERATORS] memory weights = [uint256(20), 80, 150, 250, 300, 450, 650, 1100];
        uint256[OPERATORS] memory counts;
        for (uint256 i; i < DISPUTES; ++i) {
            bytes32 seed = _hash(i);
            for (uint256 o; o < OPERATORS; ++o) {
                counts[o] += Jury.votes(seed, address(uint160(0xc0ffee + o)), 0, weights[o] * 1e18, 3000e18);
            }
        }
        uint256 statistic;
        uint256 sum;
        for (uint256 o; o < OPERATORS; ++o) {
            sum += counts[o];
            uint256 drawn = counts[o] - DISPUTES * (16 * weights[o] / 3000);
            uint256 fraction = 16 * weights[o] % 3000;
            // n p and n p (1 - p), times 3,000 and 3,000^2
            uint256 expected = DISPUTES * fraction;
            uint256 difference = drawn * 3000 > expected ? drawn * 3000 - expected : expected - drawn * 3000;
            statistic += difference * difference * 1000 / (expected * (3000 - fraction));
        }
        assertLt(statistic, 26_124, "chi-square, 8 degrees of freedom, p = 0.001, in thousandths");
        // 16 votes a dispute: the standard deviation of the sum is below sqrt(8 / 4 * 100,000) = 447.
        assertApproxEqAbs(sum, 16 * DISPUTES, 4 * 447);
    }

    /// @notice One seed gives different operators independent draws, and another round another jury.
    function test_drawsAreIndependent() public pure {
        uint256 both;
        uint256 again;
        for (uint256 i; i < 10_000; ++i) {
            bytes32 seed = _hash(i);
            uint256 first = Jury.votes(seed, address(1), 0, 1, 32);
            if (first == 1 && Jury.votes(seed, address(2), 0, 1, 32) == 1) ++both;
            if (first == 1 && Jury.votes(Jury.seed(seed, 0, 1), address(1), 0, 1, 32) == 1) ++again;
        }
        // A quarter each; the standard deviation is 43.
        assertApproxEqAbs(both, 2500, 4 * 43);
        assertApproxEqAbs(again, 2500, 4 * 43);
    }

    function test_seed() public pure {
        assertEq(Jury.seed(0, "id", 0), 0, "unknown stays unknown");
        assertEq(Jury.seed("beacon", "id", 2), keccak256(abi.encode(bytes32("beacon"), bytes32("id"), uint256(2))));
    }

    function test_verdict() public pure {
        assertEq(uint8(Jury.verdict(4, 0, 4, 3)), uint8(IDisputes.Verdict.None), "four votes");
        assertEq(uint8(Jury.verdict(5, 0, 2, 3)), uint8(IDisputes.Verdict.None), "two operators");
        assertEq(uint8(Jury.verdict(5, 0, 3, 3)), uint8(IDisputes.Verdict.Guilty));
        assertEq(uint8(Jury.verdict(4, 2, 3, 3)), uint8(IDisputes.Verdict.Guilty), "two thirds exactly");
        assertEq(uint8(Jury.verdict(7, 4, 11, 3)), uint8(IDisputes.Verdict.None), "less than two thirds");
        assertEq(uint8(Jury.verdict(4, 7, 11, 3)), uint8(IDisputes.Verdict.None));
        assertEq(uint8(Jury.verdict(2, 4, 3, 3)), uint8(IDisputes.Verdict.Innocent));
        assertEq(uint8(Jury.verdict(0, 5, 3, 3)), uint8(IDisputes.Verdict.Innocent));
        assertEq(uint8(Jury.verdict(0, 0, 0, 1)), uint8(IDisputes.Verdict.None), "nobody came");
    }

    function _vote(uint80 probe, uint8 votes, IDisputes.Verdict verdict) internal pure returns (IDisputes.Vote memory) {
        return IDisputes.Vote({operator: address(1), probe: probe, votes: votes, verdict: verdict});
    }

    function test_settle() public pure {
        IDisputes.Vote[] memory cast = new IDisputes.Vote[](5);
        cast[0] = _vote(5000, 3, IDisputes.Verdict.Guilty);
        cast[1] = _vote(5005, 2, IDisputes.Verdict.Guilty);
        cast[2] = _vote(4994, 1, IDisputes.Verdict.Guilty);
        cast[3] = _vote(1, 1, IDisputes.Verdict.Guilty);
        cast[4] = _vote(9000, 30, IDisputes.Verdict.Innocent);
        (uint256 median, uint256 paid) = Jury.settle(cast, IDisputes.Verdict.Guilty);
        assertEq(median, 5000);
        assertEq(paid, 5, "5005 is near, 4994 is not");
        (median, paid) = Jury.settle(cast, IDisputes.Verdict.Innocent);
        assertEq(median, 9000);
        assertEq(paid, 30);
        // In a draw all count, each as often as it has votes.
        (median, paid) = Jury.settle(cast, IDisputes.Verdict.None);
        assertEq(median, 9000);
        assertEq(paid, 30);
        (median, paid) = Jury.settle(new IDisputes.Vote[](0), IDisputes.Verdict.None);
        assertEq(median, 0);
        assertEq(paid, 0);
    }

    /// @notice Whatever was revealed, the median is a winner's probe with at least half of the votes at or below it and at or above it,
    /// and somebody is paid.
    function testFuzz_settle(uint256 random, uint8 count) public pure {
        count = uint8(bound(count, 1, 40));
        IDisputes.Vote[] memory cast = new IDisputes.Vote[](count);
        for (uint256 i; i < count; ++i) {
            random = uint256(_hash(random));
            IDisputes.Verdict verdict = random % 3 == 0 ? IDisputes.Verdict.Innocent : IDisputes.Verdict.Guilty;
            cast[i] = _vote(uint80(1e6 + (random >> 8) % 3000), uint8(1 + (random >> 32) % 20), verdict);
        }
        (uint256 median, uint256 paid) = Jury.settle(cast, IDisputes.Verdict.Guilty);
        uint256 atMost;
        uint256 atLeast;
        uint256 all;
        uint256 near;
        bool found;
        for (uint256 i; i < count; ++i) {
            if (cast[i].verdict != IDisputes.Verdict.Guilty) continue;
            all += cast[i].votes;
            if (cast[i].probe <= median) atMost += cast[i].votes;
            if (cast[i].probe >= median) atLeast += cast[i].votes;
            if (cast[i].probe == median) found = true;
            uint256 distance = cast[i].probe < median ? median - cast[i].probe : cast[i].probe - median;
            if (distance * 1000 <= median) near += cast[i].votes;
        }
        assertEq(paid, near);
        if (all == 0) return;
        assertTrue(found);
        assertGe(2 * atMost, all);
        assertGe(2 * atLeast, all);
        assertGt(paid, 0);
    }

    function _hash(uint256 value) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            mstore(0, value)
            hash := keccak256(0, 32)
        }
    }
}
