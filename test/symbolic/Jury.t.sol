// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDisputes} from "../../contracts/interfaces/IDisputes.sol";
import {Jury} from "../../contracts/libraries/Jury.sol";

/// @dev A jury's votes and verdicts, for all weights, seeds and counts.
contract JurySymbolic {
    /// @dev k * w / W, rounded down or up, and never more than k for all there is.
    function check_votesAreTheShareRounded(bytes32 seed, address operator, uint8 round, uint96 weight, uint96 total)
        external
        pure
    {
        if (round > 2 || total == 0 || weight > total) return;
        uint256 votes = Jury.votes(seed, operator, round, weight, total);
        uint256 share = (16 << round) * uint256(weight);
        assert(votes == share / total || votes == share / total + 1);
        assert(votes <= 16 << round);
    }

    /// @dev Nothing is drawn where nothing is left over.
    function check_nothingIsDrawnForAWholeShare(bytes32 seed, address operator, uint96 weight) external pure {
        if (weight == 0) return;
        assert(Jury.votes(seed, operator, 0, weight, weight) == 16);
        assert(Jury.votes(seed, operator, 0, 0, weight) == 0);
        assert(Jury.votes(seed, operator, 0, weight, 0) == 0);
    }

    function check_aConvictionNeedsTwoThirds(uint32 guilty, uint32 innocent, uint32 jurors, uint32 least)
        external
        pure
    {
        IDisputes.Verdict v = Jury.verdict(guilty, innocent, jurors, least);
        uint256 all = uint256(guilty) + innocent;
        if (v == IDisputes.Verdict.Guilty) assert(3 * uint256(guilty) >= 2 * all);
        if (v == IDisputes.Verdict.Innocent) assert(3 * uint256(innocent) >= 2 * all);
        if (v != IDisputes.Verdict.None) assert(all >= 5 && jurors >= least && v != IDisputes.Verdict.Unable);
    }

    /// @dev Neither side is favoured.
    function check_verdictsAreSymmetric(uint32 guilty, uint32 innocent, uint32 jurors, uint32 least) external pure {
        IDisputes.Verdict v = Jury.verdict(guilty, innocent, jurors, least);
        IDisputes.Verdict other = Jury.verdict(innocent, guilty, jurors, least);
        assert((v == IDisputes.Verdict.None) == (other == IDisputes.Verdict.None));
        assert((v == IDisputes.Verdict.Guilty) == (other == IDisputes.Verdict.Innocent));
    }

    /// @dev One more guilty vote never helps the accused.
    function check_aVoteNeverHelpsTheOtherSide(uint32 guilty, uint32 innocent, uint32 jurors, uint32 least)
        external
        pure
    {
        IDisputes.Verdict v = Jury.verdict(guilty, innocent, jurors, least);
        IDisputes.Verdict more = Jury.verdict(uint256(guilty) + 1, innocent, jurors, least);
        if (v == IDisputes.Verdict.Guilty) assert(more == IDisputes.Verdict.Guilty);
        if (more == IDisputes.Verdict.Innocent && uint256(guilty) + innocent >= 5) {
            assert(v == IDisputes.Verdict.Innocent);
        }
    }
}
