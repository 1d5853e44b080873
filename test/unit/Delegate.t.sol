// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {BaseTest, IStaking, Role} from "../utils/BaseTest.sol";

contract DelegateTest is BaseTest {
    function test_mintsAMillionSharesAWei() public {
        _give(alice, address(staking), 100e18);
        vm.expectEmit(address(staking));
        emit IStaking.Delegated(miner, alice, alice, 100e18, 100e18 * FIRST, 100e18, 100e18 * FIRST, 0);
        vm.prank(alice);
        uint256 shares = staking.delegate(miner, 100e18, alice);

        assertEq(shares, 100e18 * FIRST);
        assertEq(staking.sharesOf(miner, alice), shares);
        assertEq(staking.assetsOf(miner, alice), 100e18);
        assertEq(cai.balanceOf(alice), 0);
        _assertSolvent(miner);
    }

    function test_topsUpAtThePriceOfNow() public {
        _delegate(miner, alice, 100e18);
        _slash(miner, 0.5e18);
        uint256 shares = _delegate(miner, bob, 50e18);
        // The price halved, but for the virtual wei.
        assertApproxEqAbs(shares, 100e18 * FIRST, FIRST);
        assertApproxEqAbs(staking.assetsOf(miner, bob), 50e18, 1);
        assertApproxEqAbs(staking.assetsOf(miner, alice), 50e18, 1);
        _assertSolvent(miner);
    }

    function test_onBehalfOfAnother() public {
        _give(alice, address(staking), 5e18);
        vm.expectEmit(address(staking));
        emit IStaking.Delegated(miner, bob, alice, 5e18, 5e18 * FIRST, 5e18, 5e18 * FIRST, 0);
        vm.prank(alice);
        staking.delegate(miner, 5e18, bob);
        assertEq(staking.sharesOf(miner, alice), 0);
        assertEq(staking.assetsOf(miner, bob), 5e18);
    }

    function test_ownStakeIsAPositionLikeAnyOther() public {
        _delegate(miner, miner, 7e18);
        _delegate(miner, alice, 3e18);
        assertEq(staking.assetsOf(miner, miner), 7e18);
        assertEq(staking.sharesOf(miner, miner), 7e18 * FIRST);
        (uint256 assets, uint256 shares) = staking.pool(miner);
        assertEq(assets, 10e18);
        assertEq(shares, 10e18 * FIRST);
    }

    function test_raisesTheWeightOfAnActiveOperator() public {
        _registerMiner(20_001e18);
        _give(alice, address(staking), 9e18);
        vm.expectEmit(address(staking));
        emit IStaking.Delegated(miner, alice, alice, 9e18, 9e18 * FIRST, 20_010e18, 20_010e18 * FIRST, 20_010e18);
        vm.prank(alice);
        staking.delegate(miner, 9e18, alice);
        assertEq(staking.weightOf(miner), 20_010e18);
        assertEq(staking.totalWeight(Role.Miner), 20_010e18);
    }

    function test_revertsOnNothing() public {
        vm.expectRevert(IStaking.ZeroAmount.selector);
        staking.delegate(miner, 0, alice);
    }

    function test_revertsOnZeroAddresses() public {
        vm.expectRevert(IStaking.ZeroAddress.selector);
        staking.delegate(address(0), 1, alice);
        vm.expectRevert(IStaking.ZeroAddress.selector);
        staking.delegate(miner, 1, address(0));
    }

    function test_revertsWithoutAllowanceOrBalance() public {
        vm.prank(alice);
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(staking), 0, 1)
        );
        staking.delegate(miner, 1, alice);

        vm.startPrank(alice);
        cai.approve(address(staking), 1);
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, alice, 0, 1));
        staking.delegate(miner, 1, alice);
    }

    function test_revertsWhenTombstoned() public {
        _delegate(miner, alice, 100e18);
        for (uint256 i; i < 7; ++i) {
            _slash(miner, 0.5e18);
            _nextEpoch(1);
        }
        _give(bob, address(staking), 1e18);
        vm.prank(bob);
        vm.expectRevert(abi.encodeWithSelector(IStaking.Tombstoned.selector, miner));
        staking.delegate(miner, 1e18, bob);
    }

    /// The first to enter cannot make the price so high that the next one loses more than a wei.
    function testFuzz_inflationDoesNotPay(uint256 first, uint256 leave, uint256 second) public {
        first = bound(first, 1, 1000e18);
        second = bound(second, 1, 1000e18);
        uint256 shares = _delegate(miner, alice, first);
        leave = bound(leave, 0, shares);
        // The price may only move by rounding when somebody leaves.
        if (leave * (first + 1) / (shares + FIRST) > 0) _undelegate(miner, alice, leave);
        _delegate(miner, bob, second);
        assertGe(staking.assetsOf(miner, bob) + 1, second);
        assertLe(staking.assetsOf(miner, bob), second);
    }

    function testFuzz_neverWorthMoreThanPaid(uint256 before, uint256 fraction, uint256 assets) public {
        before = bound(before, 1, 1e26);
        assets = bound(assets, 1, 1e26);
        fraction = bound(fraction, 1, 0.5e18);
        _delegate(miner, alice, before);
        _slash(miner, fraction);
        (uint256 poolAssets, uint256 poolShares) = staking.pool(miner);
        uint256 shares = _delegate(miner, bob, assets);
        // Rounded down, and by less than one share.
        assertLe(shares * (poolAssets + 1), assets * (poolShares + FIRST));
        assertGt((shares + 1) * (poolAssets + 1), assets * (poolShares + FIRST));
        assertLe(staking.assetsOf(miner, bob), assets);
        _assertSolvent(miner);
    }

    /// Shares cost what they are worth with all that the stream owes: nothing of the past is bought.
    function test_rewardsComeFirst() public {
        _registerMiner(30_000e18);
        _fundRewards(REWARD_PERIOD * 1e18);
        vm.warp(block.timestamp + 10_000);
        uint256 before = staking.assetsOf(miner, miner);
        uint256 shares = _delegate(miner, alice, 40_000e18);
        assertLt(shares, 30_001e18 * FIRST);
        assertLe(staking.assetsOf(miner, alice), 40_000e18);
        assertGe(staking.assetsOf(miner, miner), before);
    }
}
