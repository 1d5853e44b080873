// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest, IStaking, Role} from "../utils/BaseTest.sol";

contract FundRewardsTest is BaseTest {
    /// One CAI a second.
    uint256 internal constant PERIODS_FUNDS = REWARD_PERIOD * 1e18;

    function test_beginsAPeriod() public {
        cai.approve(address(staking), PERIODS_FUNDS);
        vm.expectEmit(address(staking));
        emit IStaking.RewardsFunded(address(this), PERIODS_FUNDS, 1e18, block.timestamp + REWARD_PERIOD);
        staking.fundRewards(PERIODS_FUNDS);
        assertEq(cai.balanceOf(address(staking)), PERIODS_FUNDS);
        (uint256 rate, uint256 endsAt) = staking.rewardStream();
        assertEq(rate, 1e18);
        assertEq(endsAt, block.timestamp + REWARD_PERIOD);
        assertEq(staking.rewardPeriod(), REWARD_PERIOD);
    }

    function test_isOpenToAll() public {
        _give(alice, address(staking), REWARD_PERIOD);
        vm.prank(alice);
        staking.fundRewards(REWARD_PERIOD);
        (uint256 rate,) = staking.rewardStream();
        assertEq(rate, 1);
    }

    function test_moreIsSpreadOverTheRestOfThePeriod() public {
        _registerMiner(30_000e18);
        _fundRewards(PERIODS_FUNDS);
        uint256 endsAt = block.timestamp + REWARD_PERIOD;
        vm.warp(block.timestamp + REWARD_PERIOD / 2);
        cai.approve(address(staking), PERIODS_FUNDS);
        vm.expectEmit(address(staking));
        emit IStaking.RewardsFunded(address(this), PERIODS_FUNDS, 3e18, endsAt);
        staking.fundRewards(PERIODS_FUNDS);
        assertApproxEqAbs(staking.pendingRewards(miner), PERIODS_FUNDS / 2, 1e12, "what was, came at the old rate");
        vm.warp(endsAt);
        assertApproxEqAbs(staking.pendingRewards(miner), 2 * PERIODS_FUNDS, 1e12);
    }

    function test_afterTheEndBeginsAnew() public {
        _registerMiner(30_000e18);
        _fundRewards(PERIODS_FUNDS);
        vm.warp(block.timestamp + REWARD_PERIOD + 5 days);
        assertApproxEqAbs(staking.pendingRewards(miner), PERIODS_FUNDS, 1e12);
        _fundRewards(PERIODS_FUNDS / 2);
        (uint256 rate, uint256 endsAt) = staking.rewardStream();
        assertEq(rate, 0.5e18);
        assertEq(endsAt, block.timestamp + REWARD_PERIOD);
        vm.warp(block.timestamp + 10);
        assertApproxEqAbs(staking.pendingRewards(miner), PERIODS_FUNDS + 5e18, 1e12, "nothing flowed between");
    }

    /// Late in a period nothing is poured out in a lump: what was left and what is new are spread over a whole one.
    function test_inTheLastTenthBeginsAnewWithWhatWasLeft() public {
        _registerMiner(30_000e18);
        _fundRewards(PERIODS_FUNDS);
        uint256 start = block.timestamp;
        uint256 endsAt = start + REWARD_PERIOD;
        // A tenth is left: the period goes on.
        vm.warp(endsAt - REWARD_PERIOD / 10);
        _fundRewards(REWARD_PERIOD / 10 * 1e18);
        (uint256 rate, uint256 end) = staking.rewardStream();
        assertEq(rate, 2e18);
        assertEq(end, endsAt);
        // A second less: a new one.
        vm.warp(endsAt - REWARD_PERIOD / 10 + 1);
        uint256 left = 2e18 * (REWARD_PERIOD / 10 - 1);
        _fundRewards(2 * PERIODS_FUNDS);
        (rate, end) = staking.rewardStream();
        assertEq(rate, 2e18 + left / REWARD_PERIOD);
        assertEq(end, block.timestamp + REWARD_PERIOD);
        vm.warp(end);
        uint256 funded = 3 * PERIODS_FUNDS + REWARD_PERIOD / 10 * 1e18;
        assertLe(staking.pendingRewards(miner), funded);
        assertApproxEqAbs(staking.pendingRewards(miner), funded, 2 * REWARD_PERIOD);
    }

    /// Else anybody could stretch what is left over a whole period with some dust.
    function test_nobodySlowsDownWhatFlows() public {
        _registerMiner(30_000e18);
        _fundRewards(PERIODS_FUNDS);
        vm.warp(block.timestamp + REWARD_PERIOD * 19 / 20);
        // A twentieth is left: nineteen more keep the rate.
        uint256 least = PERIODS_FUNDS - PERIODS_FUNDS / 20;
        cai.approve(address(staking), least);
        vm.expectRevert(abi.encodeWithSelector(IStaking.AmountTooSmall.selector, REWARD_PERIOD));
        staking.fundRewards(REWARD_PERIOD);
        vm.expectRevert(abi.encodeWithSelector(IStaking.AmountTooSmall.selector, least - 1));
        staking.fundRewards(least - 1);
        staking.fundRewards(least);
        (uint256 rate, uint256 endsAt) = staking.rewardStream();
        assertEq(rate, 1e18);
        assertEq(endsAt, block.timestamp + REWARD_PERIOD);
    }

    function test_atItsEndThePeriodIsOver() public {
        _registerMiner(30_000e18);
        _fundRewards(PERIODS_FUNDS);
        uint256 endsAt = block.timestamp + REWARD_PERIOD;
        vm.warp(endsAt);
        _fundRewards(PERIODS_FUNDS);
        (uint256 rate, uint256 next) = staking.rewardStream();
        assertEq(rate, 1e18);
        assertEq(next, endsAt + REWARD_PERIOD);
    }

    function test_standsStillWhileNobodyHasWeight() public {
        _fundRewards(PERIODS_FUNDS);
        uint256 endsAt = block.timestamp + REWARD_PERIOD;
        vm.warp(block.timestamp + 100 days);
        (, uint256 moved) = staking.rewardStream();
        assertEq(moved, endsAt + 100 days);
        _registerMiner(30_000e18);
        assertEq(staking.pendingRewards(miner), 0, "nothing of the idle time");
        (, moved) = staking.rewardStream();
        assertEq(moved, endsAt + 100 days);
        vm.warp(block.timestamp + 100);
        assertApproxEqAbs(staking.pendingRewards(miner), 100e18, 1e12);
        // Idle again, beyond the end that it had.
        vm.prank(miner);
        registry.retire();
        vm.warp(block.timestamp + 2 * REWARD_PERIOD);
        (, uint256 again) = staking.rewardStream();
        assertEq(again, moved + 2 * REWARD_PERIOD);
        _fundRewards(REWARD_PERIOD);
        (uint256 rate, uint256 unchanged) = staking.rewardStream();
        assertEq(rate, 1e18 + 1, "spread over what was left of the period");
        assertEq(unchanged, again);
    }

    function test_revertsOnLessThanAWeiASecond() public {
        vm.expectRevert(abi.encodeWithSelector(IStaking.AmountTooSmall.selector, 0));
        staking.fundRewards(0);
        vm.expectRevert(abi.encodeWithSelector(IStaking.AmountTooSmall.selector, REWARD_PERIOD - 1));
        staking.fundRewards(REWARD_PERIOD - 1);
    }

    /// However it is funded, never more is owed than came in, and all but dust of it once it has flowed.
    function testFuzz_owesWhatWasFunded(uint256[4] memory amounts, uint256[4] memory gaps, uint256 own) public {
        own = bound(own, MIN_MINER + 1, 1e26);
        _registerMiner(own);
        uint256 funded;
        for (uint256 i; i < 4; ++i) {
            vm.warp(block.timestamp + bound(gaps[i], 0, REWARD_PERIOD));
            uint256 least = _leastFunds();
            if (least > 1e26) continue;
            uint256 amount = bound(amounts[i], least, 1e26);
            _fundRewards(amount);
            funded += amount;
            assertLe(staking.pendingRewards(miner), funded);
        }
        (, uint256 endsAt) = staking.rewardStream();
        vm.warp(endsAt + 1);
        uint256 paid = staking.accrue(miner);
        assertLe(paid, funded);
        // Less than a wei for each second, twice at each funding; a part in 2^48 of the weight at each reckoning.
        assertGe(paid + 8 * REWARD_PERIOD + 6 * (1 + own / 2 ** 48), funded);
        (uint256 assets,) = staking.pool(miner);
        assertEq(assets, own + paid);
    }
}
