// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Role} from "../utils/BaseTest.sol";
import {IMiningRewards, IStaking, PaymentsTest} from "../utils/PaymentsTest.sol";

contract MiningRewardsTest is PaymentsTest {
    uint256 internal constant EPOCHS = 10;

    IMiningRewards internal mining;
    uint256 internal first;

    function setUp() public override {
        super.setUp();
        first = staking.currentEpoch() + 2;
        mining = _deployMining(first, EPOCHS);
    }

    function _fundMining(uint256 amount) internal {
        cai.approve(address(mining), amount);
        mining.fund(amount);
    }

    /// @dev The next voucher of a channel, funded and collected.
    function _work(address payee, uint256 fees) internal {
        _fund(coordinator, payee, fees);
        _collect(payee, _collected(payee) + fees);
    }

    function _workOfRival(address payee, uint256 fees) internal {
        _fund(rival, payee, fees);
        (, uint256 key) = makeAddrAndKey("rival");
        uint256 cumulative = payments.channel(rival, payee).collected + fees;
        payments.collect(rival, payee, cumulative, _voucher(key, rival, payee, cumulative));
    }

    // --------------------------------------------------------------------------------------------------------------- fund

    function test_spreadsOverAllEpochsWhenFundedBefore() public {
        cai.transfer(alice, 100e18);
        vm.startPrank(alice);
        cai.approve(address(mining), 100e18);
        vm.expectEmit(address(mining));
        emit IMiningRewards.Funded(alice, 100e18, first, 10e18);
        mining.fund(100e18);
        vm.stopPrank();
        assertEq(mining.emissionOf(first - 1), 0);
        assertEq(mining.emissionOf(first), 10e18);
        assertEq(mining.emissionOf(first + EPOCHS - 1), 10e18);
        assertEq(mining.emissionOf(first + EPOCHS), 0);
        assertEq(mining.lastEpoch(), first + EPOCHS - 1);
        assertEq(mining.remainder(), 0);
        assertEq(cai.balanceOf(address(mining)), 100e18);
    }

    function test_spreadsOverTheEpochsToCome() public {
        _fundMining(100e18);
        vm.warp((first + 4) * EPOCH);
        cai.approve(address(mining), 60e18);
        vm.expectEmit(address(mining));
        emit IMiningRewards.Funded(address(this), 60e18, first + 5, 12e18);
        mining.fund(60e18);
        assertEq(mining.emissionOf(first + 4), 10e18, "an epoch that has begun stays as it is");
        for (uint256 e = first + 5; e < first + EPOCHS; ++e) {
            assertEq(mining.emissionOf(e), 22e18);
        }
        assertEq(mining.emissionOf(first + EPOCHS), 0);
    }

    function test_whatDivisionLeavesOverIsSpreadNextTime() public {
        _fundMining(107);
        assertEq(mining.emissionOf(first), 10);
        assertEq(mining.remainder(), 7);
        _fundMining(2);
        assertEq(mining.emissionOf(first), 10);
        assertEq(mining.remainder(), 9);
        _fundMining(1);
        assertEq(mining.emissionOf(first), 11);
        assertEq(mining.remainder(), 0);
    }

    function test_fundReverts() public {
        vm.expectRevert(IMiningRewards.ZeroAmount.selector);
        mining.fund(0);
        uint256 last = mining.lastEpoch();
        vm.warp((last - 1) * EPOCH);
        _fundMining(5);
        assertEq(mining.emissionOf(last), 5);
        // In the last epoch none is to come.
        for (uint256 e = last; e < last + 3; ++e) {
            vm.warp(e * EPOCH);
            vm.expectRevert(abi.encodeWithSelector(IMiningRewards.StreamEnded.selector, last, e));
            mining.fund(5);
        }
    }

    // -------------------------------------------------------------------------------------------------------------- claim

    function test_paysByShareAndFees() public {
        _fundMining(1000e18);
        vm.warp(first * EPOCH);
        _work(miner, 30e18);
        _work(other, 10e18);
        _workOfRival(other, 5e18);
        assertEq(mining.claimable(first, coordinator, miner), 18.75e18, "by now");
        _nextEpoch(1);

        // 100 x 1/4 x 3/4, 100 x 1/4 x 1/4, 100 x 3/4 x 1
        uint256 before = cai.balanceOf(miner);
        vm.expectEmit(address(mining));
        emit IMiningRewards.Claimed(first, coordinator, miner, 18.75e18);
        vm.prank(carol);
        assertEq(mining.claim(first, coordinator, miner), 18.75e18);
        assertEq(cai.balanceOf(miner) - before, 18.75e18);
        assertEq(cai.balanceOf(carol), 0);
        assertTrue(mining.claimed(first, coordinator, miner));
        assertEq(mining.claimable(first, coordinator, miner), 0);
        assertEq(mining.claim(first, coordinator, other), 6.25e18);
        assertEq(mining.claim(first, rival, other), 75e18);
        assertEq(cai.balanceOf(address(mining)), 900e18);
    }

    function test_paysOnce() public {
        _fundMining(1000e18);
        vm.warp(first * EPOCH);
        _work(miner, 30e18);
        _nextEpoch(1);
        _work(miner, 30e18);
        _nextEpoch(1);
        mining.claim(first, coordinator, miner);
        _expectNothing(first, coordinator, miner);
        mining.claim(first + 1, coordinator, miner);
        _expectNothing(first + 1, coordinator, miner);
    }

    function test_revertsWhereNothingWasEarned() public {
        _fundMining(1000e18);
        _work(miner, 30e18);
        vm.warp(first * EPOCH);
        _work(miner, 30e18);
        _nextEpoch(1);
        // Before the stream began; of other coordinators and miners.
        _expectNothing(first - 2, coordinator, miner);
        _expectNothing(first, coordinator, other);
        _expectNothing(first, rival, miner);
        _expectNothing(first, miner, coordinator);
        mining.claim(first, coordinator, miner);
    }

    function _expectNothing(uint256 epoch, address payer, address payee) internal {
        vm.expectRevert(abi.encodeWithSelector(IMiningRewards.NothingToClaim.selector, epoch, payer, payee));
        mining.claim(epoch, payer, payee);
    }

    function test_revertsBeforeTheEpochIsOver() public {
        _fundMining(1000e18);
        vm.warp(first * EPOCH);
        _work(miner, 30e18);
        vm.warp((first + 1) * EPOCH - 1);
        vm.expectRevert(abi.encodeWithSelector(IMiningRewards.EpochNotOver.selector, first, first));
        mining.claim(first, coordinator, miner);
        vm.expectRevert(abi.encodeWithSelector(IMiningRewards.EpochNotOver.selector, first, first));
        mining.recycle(first);
        vm.expectRevert(abi.encodeWithSelector(IMiningRewards.EpochNotOver.selector, first + 1, first));
        mining.claim(first + 1, coordinator, miner);
        vm.warp((first + 1) * EPOCH);
        mining.claim(first, coordinator, miner);
    }

    /// Long after Staking forgot the weights, and after the stream ended.
    function test_canBeClaimedAtAnyTime() public {
        _fundMining(1000e18);
        vm.warp(first * EPOCH);
        _work(miner, 30e18);
        for (uint256 i; i < 40; ++i) {
            _nextEpoch(1);
            _delegate(rival, bob, 1e18);
        }
        vm.expectPartialRevert(IStaking.ForgottenEpoch.selector);
        staking.totalWeightAt(Role.Coordinator, first);
        assertEq(mining.claim(first, coordinator, miner), 25e18);
    }

    function test_claimMany() public {
        _fundMining(1000e18);
        vm.warp(first * EPOCH);
        _work(miner, 30e18);
        _nextEpoch(1);
        _work(miner, 10e18);
        _work(other, 10e18);
        _nextEpoch(1);
        IMiningRewards.Claim[] memory claims = new IMiningRewards.Claim[](5);
        claims[0] = IMiningRewards.Claim(first, coordinator, miner);
        claims[1] = IMiningRewards.Claim(first, coordinator, other);
        claims[2] = IMiningRewards.Claim(first + 1, coordinator, miner);
        claims[3] = IMiningRewards.Claim(first, coordinator, miner);
        claims[4] = IMiningRewards.Claim(first + 1, coordinator, other);
        assertEq(mining.claimMany(claims), 50e18);
        assertEq(mining.claimMany(claims), 0);
        assertEq(cai.balanceOf(address(mining)), 950e18);
        claims[4].epoch = first + 2;
        vm.expectRevert(abi.encodeWithSelector(IMiningRewards.EpochNotOver.selector, first + 2, first + 2));
        mining.claimMany(claims);
    }

    // ------------------------------------------------------------------------------------------------------------ recycle

    function test_whatNobodyEarnedGoesToTheEpochsToCome() public {
        _fundMining(1000e18);
        vm.warp(first * EPOCH);
        _work(miner, 30e18);
        _nextEpoch(1);
        // 75 over the eight epochs after this one.
        vm.expectEmit(address(mining));
        emit IMiningRewards.Recycled(first, 75e18, first + 2, 9.375e18);
        vm.prank(carol);
        assertEq(mining.recycle(first), 75e18);
        assertTrue(mining.recycled(first));
        assertEq(mining.emissionOf(first), 100e18);
        assertEq(mining.emissionOf(first + 1), 100e18);
        assertEq(mining.emissionOf(first + 2), 109.375e18);
        assertEq(mining.emissionOf(first + EPOCHS - 1), 109.375e18);
        assertEq(mining.claim(first, coordinator, miner), 25e18);

        vm.expectRevert(abi.encodeWithSelector(IMiningRewards.NothingToRecycle.selector, first));
        mining.recycle(first);
        vm.expectRevert(abi.encodeWithSelector(IMiningRewards.NothingToRecycle.selector, first - 1));
        mining.recycle(first - 1);
    }

    function test_nothingGoesBackWhereAllWorked() public {
        _fundMining(1000e18);
        vm.warp(first * EPOCH);
        _work(miner, 30e18);
        _workOfRival(other, 1);
        _nextEpoch(1);
        vm.expectRevert(abi.encodeWithSelector(IMiningRewards.NothingToRecycle.selector, first));
        mining.recycle(first);
    }

    function test_withNoEpochsToComeItIsBurned() public {
        _fundMining(1000e18 + 3);
        uint256 last = mining.lastEpoch();
        vm.warp(last * EPOCH);
        _work(miner, 30e18);
        uint256 supply = cai.totalSupply();
        vm.expectEmit(address(mining));
        emit IMiningRewards.RemainderBurned(first, 100e18 + 3);
        assertEq(mining.recycle(first), 100e18);
        assertEq(supply - cai.totalSupply(), 100e18 + 3);
        assertEq(mining.remainder(), 0);
        _nextEpoch(5);
        mining.recycle(last);
        for (uint256 e = first + 1; e < last; ++e) {
            mining.recycle(e);
        }
        mining.claim(last, coordinator, miner);
        assertEq(cai.balanceOf(address(mining)), 0);
    }

    // ----------------------------------------------------------------------------------------------------------- washing

    /// A coordinator that trades with a miner of its own earns no more than its share of an epoch, however much it trades and however often; it
    /// burns two hundredths of it all, and takes nothing from those who work for others.
    function testFuzz_washTradingEarnsNoMoreThanTheShare(uint96 volume, uint8 rounds, uint96 honest) public {
        _fundMining(1000e18);
        vm.warp(first * EPOCH);
        rounds = uint8(bound(rounds, 1, 10));
        uint256 each = bound(volume, 1, 1_000_000e18);
        _workOfRival(other, bound(honest, 1, 1e18));
        uint256 supply = cai.totalSupply();
        for (uint256 i; i < rounds; ++i) {
            _work(miner, each);
        }
        assertGe((supply - cai.totalSupply()) * 50, each * rounds, "washing burns 2%");
        _nextEpoch(1);
        assertEq(mining.claim(first, coordinator, miner), 25e18);
        assertEq(mining.claim(first, rival, other), 75e18);
    }

    /// Nor does it help to spread the trade over several miners of its own, or to claim for pairs that never traded.
    function testFuzz_washTradingWithManyMinersEarnsNoMore(uint96[4] memory volumes) public {
        address[4] memory puppets = [miner, other, makeAddr("puppet 2"), makeAddr("puppet 3")];
        _register(puppets[2], Role.Miner, 30_000e18);
        _register(puppets[3], Role.Miner, 30_000e18);
        _fundMining(1000e18);
        vm.warp(first * EPOCH);
        for (uint256 i; i < 4; ++i) {
            _work(puppets[i], bound(volumes[i], 1, 1_000_000e18));
        }
        _nextEpoch(1);
        IMiningRewards.Claim[] memory claims = new IMiningRewards.Claim[](8);
        for (uint256 i; i < 4; ++i) {
            claims[i] = IMiningRewards.Claim(first, coordinator, puppets[i]);
            claims[i + 4] = IMiningRewards.Claim(first, rival, puppets[i]);
        }
        uint256 earned = mining.claimMany(claims);
        assertLe(earned, 25e18);
        assertGe(earned, 25e18 - 4);
    }

    // ------------------------------------------------------------------------------------------------------- construction

    function test_constructor() public {
        bytes4 zero = IMiningRewards.ZeroAddress.selector;
        bytes4 invalid = IMiningRewards.InvalidParameter.selector;
        uint256 current = staking.currentEpoch();
        vm.expectRevert(zero);
        this.deploy("MiningRewards", abi.encode(address(0), payments, current, 1));
        vm.expectRevert(zero);
        this.deploy("MiningRewards", abi.encode(cai, address(0), current, 1));
        // Nothing to come.
        vm.expectRevert(abi.encodeWithSelector(invalid, "firstEpoch", current));
        this.deploy("MiningRewards", abi.encode(cai, payments, current, 1));
        vm.expectRevert(abi.encodeWithSelector(invalid, "firstEpoch", current - 9));
        this.deploy("MiningRewards", abi.encode(cai, payments, current - 9, 10));
        vm.expectRevert(abi.encodeWithSelector(invalid, "firstEpoch", 1 << 32));
        this.deploy("MiningRewards", abi.encode(cai, payments, 1 << 32, 1));
        vm.expectRevert(abi.encodeWithSelector(invalid, "epochs", 0));
        this.deploy("MiningRewards", abi.encode(cai, payments, current, 0));
        vm.expectRevert(abi.encodeWithSelector(invalid, "epochs", 1e7 + 1));
        this.deploy("MiningRewards", abi.encode(cai, payments, current, 1e7 + 1));

        IMiningRewards short = _deployMining(current - 8, 10);
        assertEq(short.firstEpoch(), current - 8);
        assertEq(short.lastEpoch(), current + 1);
        cai.approve(address(short), 5);
        short.fund(5);
        assertEq(short.emissionOf(current), 0);
        assertEq(short.emissionOf(current + 1), 5);
        assertEq(_deployMining(current, 1e7).lastEpoch(), current + 1e7 - 1);
    }
}
