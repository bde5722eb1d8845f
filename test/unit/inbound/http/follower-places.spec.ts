import { FollowerPlaces, type FollowerPlace } from '../../../../src/inbound/http/follower-places';

describe('FollowerPlaces', () => {
  const takeAll = (places: FollowerPlaces, caller: string) => {
    const taken: FollowerPlace[] = [];
    for (let place = places.take(caller); place; place = places.take(caller)) taken.push(place);
    return taken;
  };
  const lost = (taken: readonly FollowerPlace[]) => taken.map(({ over }) => over.aborted);

  it('a caller that is alone has at most three quarters', () => {
    const places = new FollowerPlaces(8);
    expect(takeAll(places, 'a')).toHaveLength(6);
    expect(places.take('b')).toBeDefined();
  });

  it('when all are taken, the caller with most loses its latest to one that has two fewer', () => {
    const places = new FollowerPlaces(8);
    const [ofA, ofB] = [takeAll(places, 'a'), takeAll(places, 'b')];
    expect(lost(ofA)).toEqual([false, false, false, false, true, true]);
    expect(lost(ofB)).toEqual([false, false, false, false]);

    const ofC = takeAll(places, 'c');
    expect(lost(ofA)).toEqual([false, false, false, true, true, true]);
    expect(lost(ofB)).toEqual([false, false, false, true]);
    expect(lost(ofC)).toEqual([false, false]);
    for (const caller of ['a', 'b']) expect(places.take(caller)).toBeUndefined();
  });

  it('however many callers there are, none gets the last place of another', () => {
    const places = new FollowerPlaces(2);
    const taken = [places.take('a'), places.take('b')] as FollowerPlace[];
    expect(places.take('c')).toBeUndefined();
    expect(lost(taken)).toEqual([false, false]);
  });

  it('a place that is lost and given back is free once', () => {
    const places = new FollowerPlaces(4);
    const ofA = takeAll(places, 'a');
    const ofB = places.take('b') as FollowerPlace;
    const ofC = places.take('c') as FollowerPlace;
    for (const place of ofA) places.giveBack(place);
    for (const place of [ofB, ofC]) places.giveBack(place);
    expect(takeAll(places, 'd')).toHaveLength(3);
  });
});
