// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest, IPayments, IStaking, Role} from "../utils/BaseTest.sol";

contract UndelegateTest is BaseTest {
    function test_movesAssetsToTheBucketOfTheEpoch() public {
        _delegate(miner, alice, 100e18);
        uint256 epoch = staking.currentEpoch();
        vm.expectEmit(address(staking));
        emit IStaking.Undelegated(miner, alice, epoch, 40e18, 40e18 * FIRST, 60e18, 60e18 * FIRST, 0);
        assertEq(_undelegate(miner, alice, 40e18 * FIRST), 40e18);

        assertEq(staking.assetsOf(miner, alice), 60e18);
        assertEq(staking.bucketAssetsOf(miner, epoch, alice), 40e18);
        (uint256 assets, uint256 shares) = staking.bucket(miner, epoch);
        assertEq(assets, 40e18);
        assertEq(shares, 40e18 * FIRST);
        assertEq(cai.balanceOf(alice), 0);
        _assertSolvent(miner);
    }

    function test_addsUpWithinAnEpochAndPartsBetweenEpochs() public {
        _delegate(miner, alice, 100e18);
        _delegate(miner, bob, 100e18);
        uint256 epoch = staking.currentEpoch();
        _undelegate(miner, alice, 10e18 * FIRST);
        _undelegate(miner, alice, 20e18 * FIRST);
        _undelegate(miner, bob, 5e18 * FIRST);
        _nextEpoch(1);
        _undelegate(miner, alice, 1e18 * FIRST);

        assertEq(staking.bucketAssetsOf(miner, epoch, alice), 30e18);
        assertEq(staking.bucketAssetsOf(miner, epoch, bob), 5e18);
        assertEq(staking.bucketAssetsOf(miner, epoch + 1, alice), 1e18);
        (uint256 assets,) = staking.bucket(miner, epoch);
        assertEq(assets, 35e18);
    }

    function test_ofAnOperatorLowersItsWeight() public {
        _registerMiner(30_000e18);
        _undelegate(miner, miner, 9999e18 * FIRST);
        assertEq(staking.weightOf(miner), 20_001e18);
        // Not above the minimum any more: no weight, and the exit is open all the same.
        _undelegate(miner, miner, 1e18 * FIRST);
        assertEq(staking.weightOf(miner), 0);
        assertEq(staking.totalWeight(Role.Miner), 0);
        _undelegate(miner, miner, 20_000e18 * FIRST);
        assertEq(staking.sharesOf(miner, miner), 0);
    }

    function test_worksFromATombstonedPool() public {
        uint256 shares = _delegate(miner, alice, 100e18);
        for (uint256 i; i < 7; ++i) {
            _slash(miner, 0.5e18);
            _nextEpoch(1);
        }
        assertTrue(staking.isTombstoned(miner));
        assertEq(_undelegate(miner, alice, shares), 100e18 / 128);
        _assertSolvent(miner);
    }

    function test_revertsOnNothing() public {
        vm.expectRevert(IStaking.ZeroAmount.selector);
        staking.undelegate(miner, 0);
    }

    function test_revertsOnMoreThanHeld() public {
        uint256 shares = _delegate(miner, alice, 100e18);
        _delegate(miner, bob, 100e18);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IStaking.InsufficientShares.selector, alice, shares, shares + 1));
        staking.undelegate(miner, shares + 1);

        vm.prank(carol);
        vm.expectRevert(abi.encodeWithSelector(IStaking.InsufficientShares.selector, carol, 0, 1));
        staking.undelegate(miner, 1);
    }

    function test_anOperatorCannotTakeItsVotersShares() public {
        _delegate(miner, alice, 100e18);
        vm.prank(miner);
        vm.expectRevert(abi.encodeWithSelector(IStaking.InsufficientShares.selector, miner, 0, 1));
        staking.undelegate(miner, 1);
    }

    function test_revertsOnSharesWorthNothing() public {
        _delegate(miner, alice, 100e18);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IStaking.AmountTooSmall.selector, FIRST - 1));
        staking.undelegate(miner, FIRST - 1);
    }

    /// Whoever delegates and undelegates gets no more than it gave, whatever others and slashes did to the price.
    function testFuzz_roundTripDoesNotPay(uint256 other, uint256 fraction, uint256 assets, uint256 part) public {
        other = bound(other, 1, 1e26);
        assets = bound(assets, 10, 1e26);
        _delegate(miner, bob, other);
        _slash(miner, bound(fraction, 1, 0.5e18));
        uint256 priceBefore = _price();
        uint256 shares = _delegate(miner, alice, assets);
        part = bound(part, 4 * FIRST, shares);
        uint256 got = _undelegate(miner, alice, part);
        uint256 epoch = staking.currentEpoch();
        assertLe(staking.bucketAssetsOf(miner, epoch, alice) + staking.assetsOf(miner, alice), assets);
        assertLe(staking.bucketAssetsOf(miner, epoch, alice), got);
        assertGe(_price(), priceBefore, "rounding only ever raises the price");
        _assertSolvent(miner);
    }

    function _price() internal view returns (uint256) {
        (uint256 assets, uint256 shares) = staking.pool(miner);
        return (assets + 1) * 1e36 / (shares + FIRST);
    }

    // ----------------------------------------------------------------------------------------------------- vouchers' backing

    function _back(address operator, uint256 backing) internal {
        vm.mockCall(address(payments), abi.encodeCall(IPayments.backingOf, (operator)), abi.encode(backing));
    }

    function _expectBacking(uint256 backing, uint256 left) internal {
        vm.expectRevert(abi.encodeWithSelector(IStaking.StakeBacksVouchers.selector, coordinator, backing, left));
    }

    function test_whatBacksVouchersStays() public {
        _registerCoordinator(3_000_000e18);
        _delegate(coordinator, alice, 100e18);
        _back(coordinator, 2_500_000e18);
        _undelegate(coordinator, coordinator, 500_000e18 * FIRST);
        vm.prank(coordinator);
        _expectBacking(2_500_000e18, 2_500_000e18 - 1);
        staking.undelegate(coordinator, FIRST);
        // Voters are free, and so is what has left.
        _undelegate(coordinator, alice, 100e18 * FIRST);
        uint256 epoch = staking.currentEpoch();
        _nextEpoch(3);
        assertEq(staking.withdraw(coordinator, epoch, coordinator), 500_000e18);
        _back(coordinator, 0);
        _undelegate(coordinator, coordinator, 2_500_000e18 * FIRST);
    }

    function test_retiringDoesNotFreeWhatBacksVouchers() public {
        _registerCoordinator(3_000_000e18);
        _back(coordinator, 3_000_000e18);
        vm.startPrank(coordinator);
        registry.retire();
        _expectBacking(3_000_000e18, 0);
        staking.undelegate(coordinator, 3_000_000e18 * FIRST);
    }

    function test_aSlashUnderWhatBacksVouchersTakesAllTheSame() public {
        _registerCoordinator(3_000_000e18);
        _back(coordinator, 3_000_000e18);
        assertEq(_slash(coordinator, 0.5e18), 1_500_000e18);
        vm.prank(coordinator);
        _expectBacking(3_000_000e18, 1_500_000e18 - 1);
        staking.undelegate(coordinator, 2 * FIRST);
    }

    function test_onlyCoordinatorsBackVouchers() public {
        _registerMiner(30_000e18);
        _back(miner, type(uint256).max);
        _undelegate(miner, miner, 30_000e18 * FIRST);
        assertEq(staking.sharesOf(miner, miner), 0);
    }

    function test_rewardsComeFirst() public {
        _registerMiner(30_000e18);
        _delegate(miner, alice, 30_000e18);
        _fundRewards(REWARD_PERIOD * 1e18);
        vm.warp(block.timestamp + 1000);
        uint256 due = staking.assetsOf(miner, alice);
        assertApproxEqAbs(due, 30_500e18, 1e9);
        assertEq(_undelegate(miner, alice, staking.sharesOf(miner, alice)), due);
    }

    /// What the operator's commission brought is its own: it leaves like any stake.
    function test_ofCommissionThatIsStillOwed() public {
        _registerMiner(30_000e18);
        _fundRewards(REWARD_PERIOD * 1e18);
        vm.prank(miner);
        staking.setCommission(0.5e18);
        vm.warp(block.timestamp + EPOCH);
        staking.applyCommission(miner);
        vm.warp(block.timestamp + 1000);
        uint256 shares = staking.sharesOf(miner, miner);
        assertGt(shares, 30_000e18 * FIRST);
        uint256 due = staking.assetsOf(miner, miner);
        assertEq(_undelegate(miner, miner, shares), due);
        assertEq(staking.sharesOf(miner, miner), 0);
    }
}
