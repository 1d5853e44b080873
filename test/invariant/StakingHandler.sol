// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest, IStaking, Role} from "../utils/BaseTest.sol";

/// @dev Calls every verb of Staking at random, and keeps an account of its own of what everybody must have: amounts, no shares.
/// A slash multiplies every amount in reach by (1 - fraction), a reward adds to each its part; the model knows nothing of prices,
/// rounding, virtual shares or accumulators. Its amounts are scaled by 1e18. After each call it looks whether a price fell.
contract StakingHandler is BaseTest {
    uint256 internal constant ONE = 1e18;
    uint256 internal constant FIRST_EPOCH = 20_000;
    uint256 internal constant LIMIT = 0.75e18;
    /// How many epochs back buckets are looked at in each call: more than a slash reaches.
    uint256 internal constant BACK = 8;

    address[3] public operators = [makeAddr("operator 0"), makeAddr("operator 1"), makeAddr("operator 2")];
    Role[3] public roles = [Role.Miner, Role.Miner, Role.Coordinator];
    /// The operators are owners, too.
    address[5] public owners;

    // What everybody has.
    mapping(address operator => mapping(address owner => uint256)) internal _modelStake;
    /// What the stream owes a pool.
    mapping(address operator => uint256) public modelPending;
    mapping(address operator => mapping(address owner => mapping(uint256 epoch => uint256))) public modelBucket;
    /// CAI wei taken out early, and not settled yet.
    mapping(address operator => mapping(address owner => mapping(uint256 epoch => uint256))) public drawn;
    /// Epochs in which something entered a bucket.
    mapping(address operator => uint256[]) internal _bucketEpochs;
    mapping(address operator => mapping(uint256 epoch => bool)) public used;
    // What slashers did.
    mapping(address operator => mapping(uint256 epoch => uint256)) public slashedIn;
    mapping(address operator => mapping(uint256 epoch => uint256)) public slashedMatured;
    mapping(address operator => mapping(uint256 epoch => uint256)) public holds;
    address[] internal _holders;
    uint256[] internal _holdEpochs;
    // Standing.
    mapping(address operator => bool) public registered;
    mapping(address operator => bool) public jailed;
    mapping(address operator => uint256) public jailedUntil;
    mapping(address operator => uint256) public commission;
    mapping(address operator => uint256) public announced;
    mapping(address operator => uint256) public announcedFrom;
    uint256 public pausedUntil;
    // Weights when epochs began, and the epochs in which they changed.
    mapping(address operator => mapping(uint256 epoch => uint256)) public weightWhenBegan;
    mapping(Role role => mapping(uint256 epoch => uint256)) public totalWhenBegan;
    mapping(address operator => mapping(uint256 epoch => bool)) public changedIn;
    mapping(uint256 epoch => bool) public totalsChangedIn;
    // The stream.
    uint256 public rate;
    uint256 public endsAt;
    uint256 public funded;
    /// In wei: what the stream let flow while there was weight, and what verbs added to pools.
    uint256 public flowed;
    uint256 public rewarded;
    /// In wei: what roundings of the stream, a part in 2^48 of the weight each, may have kept from an operator's pool.
    mapping(address operator => uint256) public streamSlack;

    mapping(address owner => uint256) public deposited;
    mapping(address owner => uint256) public withdrawn;
    /// Rewards and payments out of others' stake; scaled.
    mapping(address owner => uint256) public gained;
    mapping(string verb => uint256) public calls;
    /// How many times something was rounded, so many wei the model may be off.
    uint256 public roundings;
    uint256 public totalDeposited;
    uint256 public totalWithdrawn;
    uint256 public totalSlashed;
    uint256 public totalPaid;
    /// Scaled: half of what operators' own stake lost, by the model.
    uint256 public halfOfOwnLosses;

    uint256[3] internal _weightsBefore;
    uint256[] internal _pricesBefore;
    uint256 internal _epochBefore;
    /// The operator slashed by this call, and the first bucket that was liable.
    address internal _slashed;
    uint256 internal _firstLiable;
    uint256 internal _timePassed;

    function setUp() public override {
        super.setUp();
        owners = [operators[0], operators[1], operators[2], alice, bob];
        _deposit(operators[0], operators[0], 30_000e18);
        _deposit(operators[1], operators[1], 40_000e18);
        _deposit(operators[2], operators[2], 3_000_000e18);
        _fundModel(1e25);
        for (uint256 i; i < 3; ++i) {
            vm.prank(operators[i]);
            registry.register(roles[i], operators[i], "https://x", "", "");
            registered[operators[i]] = true;
            changedIn[operators[i]][FIRST_EPOCH] = true;
        }
        totalsChangedIn[FIRST_EPOCH] = true;
    }

    /// @dev Looks at weights and prices before and after: a price falls only where a slash may reach.
    modifier counted(string memory verb) {
        ++calls[verb];
        _before();
        _;
        _after();
    }

    function _before() internal {
        _slashed = address(0);
        _timePassed = 0;
        _epochBefore = staking.currentEpoch();
        _pricesBefore = _prices(_epochBefore);
        for (uint256 i; i < 3; ++i) {
            _weightsBefore[i] = staking.weightOf(operators[i]);
        }
    }

    function _after() internal {
        uint256[] memory now_ = _prices(_epochBefore);
        uint256 perOperator = 2 * (BACK + 1);
        for (uint256 i; i < now_.length; i += 2) {
            uint256 place = i % perOperator / 2;
            bool liable = place == 0 || _epochBefore + 1 - place >= _firstLiable;
            if (operators[i / perOperator] == _slashed && liable) continue;
            // (assets + 1) / (shares + 1e6); a cut of what the stream owes is rounded down to a wei:
            // while time passes the view wavers by one.
            assertGe(
                (now_[i] + 1 + _timePassed) * (_pricesBefore[i + 1] + FIRST),
                (_pricesBefore[i] + 1) * (now_[i + 1] + FIRST),
                "a price fell, and no slash could reach it"
            );
        }
        for (uint256 i; i < 3; ++i) {
            if (staking.weightOf(operators[i]) == _weightsBefore[i]) continue;
            changedIn[operators[i]][staking.currentEpoch()] = true;
            totalsChangedIn[staking.currentEpoch()] = true;
        }
    }

    // ------------------------------------------------------------------------------------------------- stake, vote, leave

    function delegate(uint256 operatorSeed, uint256 ownerSeed, uint256 assets, bool dust) external counted("delegate") {
        (address operator, address owner) = _pick(operatorSeed, ownerSeed);
        if (staking.isTombstoned(operator)) return;
        if (_paused()) {
            vm.expectRevert(abi.encodeWithSelector(IStaking.EntryPaused.selector, pausedUntil));
            staking.delegate(operator, 1, owner);
            return;
        }
        _deposit(operator, owner, dust ? bound(assets, 1, 1e7) : bound(assets, 1e18, 5e24));
    }

    function undelegate(uint256 operatorSeed, uint256 ownerSeed, uint256 part, bool all)
        external
        counted("undelegate")
    {
        (address operator, address owner) = _pick(operatorSeed, ownerSeed);
        uint256 held = staking.sharesOf(operator, owner);
        if (staking.assetsOf(operator, owner) == 0) return;
        // Shares worth a wei at least.
        (uint256 assets, uint256 total) = staking.pool(operator);
        uint256 least = (total + FIRST) / (assets + 1) + 1;
        _leave(operator, owner, all || least >= held ? held : bound(part, least, held), held);
    }

    function cancel(uint256 operatorSeed, uint256 ownerSeed, uint256 ago) external counted("cancel") {
        (address operator, address owner) = _pick(operatorSeed, ownerSeed);
        uint256 epoch = _used(operator, ago % 3);
        if (staking.isTombstoned(operator) || staking.bucketAssetsOf(operator, epoch, owner) == 0) return;
        if (staking.currentEpoch() >= staking.maturityOf(epoch)) return;
        _touch(operator);
        _cancel(operator, owner, epoch);
        _modelStake[operator][owner] += modelBucket[operator][owner][epoch];
        modelBucket[operator][owner][epoch] = 0;
        roundings += 2;
    }

    /// By the owner: while disputes are open, what is free.
    function withdraw(uint256 operatorSeed, uint256 ownerSeed, uint256 ago) external counted("withdraw") {
        (address operator, address owner) = _pick(operatorSeed, ownerSeed);
        uint256 epoch = _used(operator, ago % 6);
        if (staking.withdrawable(operator, epoch, owner) == 0) return;
        _withdraw(operator, owner, epoch);
    }

    // --------------------------------------------------------------------------------------------------------------- earn

    function fundRewards(uint256 amount) external counted("fundRewards") {
        uint256 least = _leastFunds();
        if (least > 1e25) return;
        _fundModel(bound(amount, least, 1e25));
    }

    function _fundModel(uint256 amount) internal {
        _fundRewards(amount);
        funded += amount;
        uint256 left = endsAt > block.timestamp ? endsAt - block.timestamp : 0;
        if (left * 10 < REWARD_PERIOD) {
            rate = (rate * left + amount) / REWARD_PERIOD;
            endsAt = block.timestamp + REWARD_PERIOD;
        } else {
            rate += amount / left;
        }
    }

    function accrue(uint256 operatorSeed) external counted("accrue") {
        address operator = operators[operatorSeed % 3];
        uint256 pending = staking.pendingRewards(operator);
        _touch(operator);
        assertEq(staking.accrue(operator), pending, "accrue adds what the view says");
        assertEq(staking.pendingRewards(operator), 0);
    }

    function setCommission(uint256 operatorSeed, uint256 cut) external counted("setCommission") {
        address operator = operators[operatorSeed % 3];
        cut = bound(cut, 0, 1e9) * 1e9;
        _touch(operator);
        vm.prank(operator);
        staking.setCommission(cut);
        if (cut > commission[operator]) {
            (announced[operator], announcedFrom[operator]) = (cut, block.timestamp + EPOCH);
        } else {
            commission[operator] = cut;
            (announced[operator], announcedFrom[operator]) = (0, 0);
        }
    }

    function applyCommission(uint256 operatorSeed) external counted("applyCommission") {
        address operator = operators[operatorSeed % 3];
        uint256 from = announcedFrom[operator];
        if (from == 0 || block.timestamp < from) {
            vm.expectRevert(abi.encodeWithSelector(IStaking.CommissionNotDue.selector, operator, from, block.timestamp));
            staking.applyCommission(operator);
            return;
        }
        _touch(operator);
        staking.applyCommission(operator);
        commission[operator] = announced[operator];
        (announced[operator], announcedFrom[operator]) = (0, 0);
    }

    // ------------------------------------------------------------------------------------------------ hold, slash, jail, pay

    function hold(uint256 operatorSeed, uint256 fraction) external counted("hold") {
        address operator = operators[operatorSeed % 3];
        fraction = bound(fraction, 1, 0.5e18);
        if (_paused()) {
            vm.prank(slasher);
            vm.expectRevert(abi.encodeWithSelector(IStaking.EntryPaused.selector, pausedUntil));
            staking.hold(operator, fraction);
            return;
        }
        holds[operator][_hold(operator, fraction)] += fraction;
        _holders.push(operator);
        _holdEpochs.push(staking.currentEpoch());
    }

    function release(uint256 operatorSeed, uint256 ago, uint256 fraction) external counted("release") {
        (address operator, uint256 epoch) = _someHold(operatorSeed, ago);
        if (holds[operator][epoch] == 0) return;
        fraction = bound(fraction, 1, holds[operator][epoch]);
        _release(operator, fraction, epoch);
        holds[operator][epoch] -= fraction;
    }

    /// For a dispute of now, or of some epochs ago, whether it holds anything or not.
    function slash(uint256 operatorSeed, uint256 fraction, uint256 ago, uint256 jailTerm, uint256 reward)
        external
        counted("slash")
    {
        (address operator, uint256 epoch) = _someHold(operatorSeed, ago);
        fraction = bound(fraction, 1, 0.5e18);
        // Mostly all that is held.
        uint256 held = holds[operator][epoch];
        if (reward % 4 != 0 && held != 0 && held <= 0.5e18) fraction = held;
        _slash(operator, fraction, epoch, jailTerm % 4 == 0 ? bound(jailTerm, 1, 2 * EPOCH) : 0, bound(reward, 0, 1e24));
    }

    function _slash(address operator, uint256 fraction, uint256 epoch, uint256 term, uint256 reward) internal {
        uint256 current = staking.currentEpoch();
        _slashed = operator;
        _touch(operator);
        vm.prank(slasher);
        (uint256 slashed, uint256 paid) = staking.slash(operator, fraction, epoch, term, carol, reward);
        if (term != 0) _jailModel(operator, term);

        bool held = current <= epoch + 4 && holds[operator][epoch] >= fraction;
        if (held) holds[operator][epoch] -= fraction;
        _firstLiable = (held ? epoch : current) - 2;
        uint256 spent = slashedIn[operator][current];
        if (fraction > LIMIT - spent) fraction = LIMIT - spent;
        slashedIn[operator][current] = spent + fraction;
        (uint256 loss, uint256 ownLoss) = _slashModel(operator, fraction);
        roundings += 8;
        uint256 slack = (roundings + streamSlack[operator]) * ONE;
        assertLe(slashed * ONE, loss + slack, "a slash took more than its fraction of what is liable");
        assertGe(slashed * ONE + slack, loss, "a slash took less than its fraction of what is liable");
        assertLe(paid, reward, "a slash paid more than was wished");
        assertLe(2 * paid * ONE, ownLoss + slack, "a slash paid more than half of the own loss");
        totalSlashed += slashed;
        totalPaid += paid;
        halfOfOwnLosses += ownLoss / 2;
    }

    function jail(uint256 operatorSeed, uint256 term) external counted("jail") {
        address operator = operators[operatorSeed % 3];
        term = bound(term, 1, EPOCH);
        _touch(operator);
        vm.prank(address(payments));
        staking.jail(operator, term);
        _jailModel(operator, term);
    }

    function unjail(uint256 operatorSeed) external counted("unjail") {
        address operator = operators[operatorSeed % 3];
        if (!jailed[operator]) return;
        if (block.timestamp < jailedUntil[operator]) {
            vm.prank(operator);
            vm.expectRevert(abi.encodeWithSelector(IStaking.Jailed.selector, operator, jailedUntil[operator]));
            staking.unjail();
            return;
        }
        _touch(operator);
        vm.prank(operator);
        staking.unjail();
        jailed[operator] = false;
    }

    function payFromOwn(uint256 operatorSeed, uint256 payeeSeed, uint256 assets) external counted("payFromOwn") {
        (address operator, address payee) = _pick(operatorSeed, payeeSeed);
        uint256 own = staking.assetsOf(operator, operator);
        assets = bound(assets, 0, own + own / 4 + 1);
        uint256[5] memory before;
        for (uint256 j; j < 5; ++j) {
            before[j] = staking.assetsOf(operator, owners[j]);
        }
        _touch(operator);
        vm.prank(address(payments));
        uint256 paid = staking.payFromOwn(operator, assets, payee);
        assertEq(paid, assets < own ? assets : own, "own stake pays as far as it goes");
        for (uint256 j; j < 5; ++j) {
            if (owners[j] == operator) continue;
            assertGe(staking.assetsOf(operator, owners[j]), before[j], "a voter paid for its operator");
        }
        uint256 moved = paid * ONE;
        if (moved > _modelStake[operator][operator]) moved = _modelStake[operator][operator];
        _modelStake[operator][operator] -= moved;
        _enterBucket(operator, payee, moved);
        if (payee != operator) gained[payee] += moved;
        roundings += 3;
    }

    // ---------------------------------------------------------------------------------------------------- standing and time

    function setRegistered(uint256 operatorSeed, bool on) external counted("setRegistered") {
        address operator = operators[operatorSeed % 3];
        Role role = roles[operatorSeed % 3];
        // More come than go.
        if (on == registered[operator]) on = !on && operatorSeed % 2 == 0;
        if (on == registered[operator]) return;
        if (on && staking.assetsOf(operator, operator) <= staking.minStake(role)) return;
        if (on && _paused()) {
            vm.prank(operator);
            vm.expectRevert(abi.encodeWithSelector(IStaking.EntryPaused.selector, pausedUntil));
            registry.register(role, operator, "https://x", "", "");
            return;
        }
        _touch(operator);
        vm.prank(operator);
        if (on) registry.register(role, operator, "https://x", "", "");
        else registry.retire();
        registered[operator] = on;
    }

    function pause(uint256 time, bool open) external counted("pause") {
        pausedUntil = open ? 0 : block.timestamp + bound(time, 1, EPOCH);
        vm.prank(guardian);
        staking.pauseEntry(pausedUntil);
    }

    /// From seconds to several epochs.
    function pass(uint256 time, uint256 kind) external counted("pass") {
        _pass(
            kind % 4 == 0 ? bound(time, 1, 3600) : kind % 4 == 1 ? bound(time, EPOCH, 6 * EPOCH) : bound(time, 1, EPOCH)
        );
    }

    function _pass(uint256 time) internal {
        _timePassed = 1;
        uint256 before = staking.currentEpoch();
        uint256[3] memory weights;
        for (uint256 i; i < 3; ++i) {
            weights[i] = staking.weightOf(operators[i]);
        }
        uint256[2] memory totals = [staking.totalWeight(Role.Miner), staking.totalWeight(Role.Coordinator)];
        _flow(time, weights);
        vm.warp(block.timestamp + time);
        for (uint256 epoch = before + 1; epoch <= staking.currentEpoch(); ++epoch) {
            for (uint256 i; i < 3; ++i) {
                weightWhenBegan[operators[i]][epoch] = weights[i];
            }
            totalWhenBegan[Role.Miner][epoch] = totals[0];
            totalWhenBegan[Role.Coordinator][epoch] = totals[1];
        }
    }

    // ----------------------------------------------------------------------------------------------------- the end of a run

    /// @dev Everybody leaves: whatever happened before, every exit succeeds; of what open disputes hold back all but their fraction at
    /// once, and the rest when they are over, though nobody ends them.
    function leaveAll(uint256 fraction) external {
        vm.prank(timelock);
        staking.pauseEntry(0);
        for (uint256 i; i < 3; ++i) {
            holds[operators[i]][_hold(operators[i], fraction)] += fraction;
            for (uint256 j; j < 5; ++j) {
                if (staking.assetsOf(operators[i], owners[j]) == 0) continue;
                uint256 shares = staking.sharesOf(operators[i], owners[j]);
                _leave(operators[i], owners[j], shares, shares);
            }
        }
        uint256 left = staking.currentEpoch();
        _pass(3 * EPOCH);
        for (uint256 i; i < 3; ++i) {
            uint256 held = staking.heldFraction(operators[i], left);
            assertGe(held, fraction);
            for (uint256 j; j < 5; ++j) {
                uint256 value = staking.bucketAssetsOf(operators[i], left, owners[j]);
                if (value < 10) continue;
                uint256 free = _withdraw(operators[i], owners[j], left);
                assertGe(free * ONE + 2 * ONE, value * (ONE - held), "the free part leaves at once");
            }
        }
        _pass(5 * EPOCH);
        for (uint256 i; i < 3; ++i) {
            for (uint256 k; k < _bucketEpochs[operators[i]].length; ++k) {
                uint256 epoch = _bucketEpochs[operators[i]][k];
                assertEq(staking.heldFraction(operators[i], epoch), 0, "every hold ends by itself");
                for (uint256 j; j < 5; ++j) {
                    if (staking.withdrawable(operators[i], epoch, owners[j]) == 0) continue;
                    _withdraw(operators[i], owners[j], epoch);
                }
            }
        }
    }

    // -------------------------------------------------------------------------------------------------------------- internal

    function _deposit(address operator, address owner, uint256 assets) internal {
        _touch(operator);
        _delegate(operator, owner, assets);
        _modelStake[operator][owner] += assets * ONE;
        deposited[owner] += assets;
        totalDeposited += assets;
        roundings += 1;
    }

    function _leave(address operator, address owner, uint256 shares, uint256 held) internal {
        _touch(operator);
        _undelegate(operator, owner, shares);
        uint256 moved = _modelStake[operator][owner] * shares / held;
        _modelStake[operator][owner] -= moved;
        _enterBucket(operator, owner, moved);
        roundings += 2;
    }

    function _enterBucket(address operator, address owner, uint256 moved) internal {
        uint256 epoch = staking.currentEpoch();
        modelBucket[operator][owner][epoch] += moved;
        if (used[operator][epoch]) return;
        used[operator][epoch] = true;
        _bucketEpochs[operator].push(epoch);
    }

    function _withdraw(address operator, address owner, uint256 epoch) internal returns (uint256 assets) {
        uint256 before = cai.balanceOf(owner);
        uint256 due = staking.withdrawable(operator, epoch, owner);
        bool held = staking.heldFraction(operator, epoch) != 0;
        vm.prank(owner);
        assets = staking.withdraw(operator, epoch, owner);
        assertEq(assets, due, "withdraw pays what the view says");
        assertEq(cai.balanceOf(owner), before + assets, "paid to the owner");
        if (held) {
            drawn[operator][owner][epoch] += assets;
        } else {
            modelBucket[operator][owner][epoch] = 0;
            drawn[operator][owner][epoch] = 0;
        }
        withdrawn[owner] += assets;
        totalWithdrawn += assets;
        roundings += 1;
    }

    /// @dev Of the pool and of every liable bucket; of one that has matured no more than the limit in sum.
    function _slashModel(address operator, uint256 fraction) internal returns (uint256 loss, uint256 ownLoss) {
        uint256 current = staking.currentEpoch();
        for (uint256 j; j < 5; ++j) {
            uint256 lost = _modelStake[operator][owners[j]] * fraction / ONE;
            _modelStake[operator][owners[j]] -= lost;
            loss += lost;
            if (owners[j] == operator) ownLoss += lost;
        }
        for (uint256 e = _firstLiable; e <= current; ++e) {
            uint256 taken = fraction;
            if (current > e + 2) {
                (uint256 assets,) = staking.bucket(operator, e);
                if (assets == 0 && _modelBucketOf(operator, e) == 0) continue;
                if (taken > LIMIT - slashedMatured[operator][e]) taken = LIMIT - slashedMatured[operator][e];
                slashedMatured[operator][e] += taken;
            }
            for (uint256 j; j < 5; ++j) {
                uint256 lost = modelBucket[operator][owners[j]][e] * taken / ONE;
                modelBucket[operator][owners[j]][e] -= lost;
                loss += lost;
                if (owners[j] == operator) ownLoss += lost;
            }
        }
    }

    function _modelBucketOf(address operator, uint256 epoch) internal view returns (uint256 sum) {
        for (uint256 j; j < 5; ++j) {
            sum += modelBucket[operator][owners[j]][epoch];
        }
    }

    function _jailModel(address operator, uint256 term) internal {
        jailed[operator] = true;
        if (block.timestamp + term > jailedUntil[operator]) jailedUntil[operator] = block.timestamp + term;
    }

    /// @dev A verb on this pool comes: it adds what the stream owes.
    function _touch(address operator) internal {
        rewarded += staking.pendingRewards(operator);
        roundings += 2;
        if (modelPending[operator] == 0) return;
        uint256[5] memory parts;
        for (uint256 j; j < 5; ++j) {
            parts[j] = _parts(operator, owners[j]);
        }
        for (uint256 j; j < 5; ++j) {
            _gain(operator, owners[j], parts[j]);
        }
        modelPending[operator] = 0;
    }

    /// @dev `time` seconds of the stream: to each operator by weight.
    function _flow(uint256 time, uint256[3] memory weights) internal {
        if (block.timestamp >= endsAt) return;
        uint256 total = weights[0] + weights[1] + weights[2];
        if (total == 0) {
            endsAt += time;
            return;
        }
        if (time > endsAt - block.timestamp) time = endsAt - block.timestamp;
        flowed += rate * time;
        for (uint256 i; i < 3; ++i) {
            if (weights[i] == 0) continue;
            address operator = operators[i];
            streamSlack[operator] += 2 * (weights[i] >> 48) + 4;
            modelPending[operator] += rate * time * weights[i] / total * ONE;
        }
    }

    /// @dev What the stream owes a pool is split when a verb adds it: its cut to the operator, the rest to all by stake.
    function _parts(address operator, address owner) internal view returns (uint256 part) {
        uint256 reward = modelPending[operator];
        if (reward == 0) return 0;
        uint256 stake;
        for (uint256 j; j < 5; ++j) {
            stake += _modelStake[operator][owners[j]];
        }
        uint256 cut = reward / ONE * commission[operator];
        part = (reward - cut) / 1e9 * (_modelStake[operator][owner] / 1e9) / (stake / 1e18);
        if (owner == operator) part += cut;
    }

    function _gain(address operator, address owner, uint256 part) internal {
        _modelStake[operator][owner] += part;
        gained[owner] += part;
    }

    function _paused() internal view returns (bool) {
        return block.timestamp < pausedUntil;
    }

    function _pick(uint256 operatorSeed, uint256 ownerSeed) internal view returns (address, address) {
        return (operators[operatorSeed % 3], owners[ownerSeed % 5]);
    }

    /// @dev The last epochs in which something left the operator's pool; of none, that of now.
    function _used(address operator, uint256 ago) internal view returns (uint256) {
        uint256 length = _bucketEpochs[operator].length;
        return length == 0 ? staking.currentEpoch() : _bucketEpochs[operator][length - 1 - ago % length];
    }

    /// @dev Mostly one of the last holds, else anything.
    function _someHold(uint256 seed, uint256 ago) internal view returns (address, uint256) {
        uint256 length = _holders.length;
        if (seed % 4 == 0 || length == 0) return (operators[seed / 4 % 3], _ago(ago));
        uint256 place = length - 1 - ago % (length < 4 ? length : 4);
        return (_holders[place], _holdEpochs[place]);
    }

    function _ago(uint256 ago) internal view returns (uint256) {
        return staking.currentEpoch() - ago % 8;
    }

    /// @dev Assets and shares of the pools, then of the last buckets of each; what was drawn early counts as if it were still there.
    function _prices(uint256 epoch) internal view returns (uint256[] memory prices) {
        prices = new uint256[](3 * 2 * (BACK + 1));
        uint256 at;
        for (uint256 i; i < 3; ++i) {
            address operator = operators[i];
            (prices[at], prices[at + 1]) = staking.pool(operator);
            at += 2;
            for (uint256 k; k < BACK; ++k) {
                (prices[at], prices[at + 1]) = staking.bucket(operator, epoch - k);
                for (uint256 j; j < 5; ++j) {
                    prices[at] += drawn[operator][owners[j]][epoch - k];
                }
                at += 2;
            }
        }
    }

    // ----------------------------------------------------------------------------------------------------------- for the test

    function contracts() external view returns (address, address) {
        return (address(staking), address(cai));
    }

    /// @dev With its part of what the stream owes; scaled.
    function modelStakeOf(address operator, address owner) external view returns (uint256) {
        return _modelStake[operator][owner] + _parts(operator, owner);
    }

    function bucketEpochs(address operator) external view returns (uint256[] memory) {
        return _bucketEpochs[operator];
    }

    /// @dev min(0.75, what is held by disputes that opened before the bucket matured, and that live); zero before.
    function modelHeld(address operator, uint256 epoch) external view returns (uint256 held) {
        uint256 current = staking.currentEpoch();
        if (current < epoch + 3) return 0;
        for (uint256 e = current - 4; e < epoch + 3; ++e) {
            held += holds[operator][e];
        }
        if (held > LIMIT) held = LIMIT;
    }
}
