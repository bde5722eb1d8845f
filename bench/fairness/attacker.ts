// A process that attacks, so that the one that measures is not busy with it. It is told the scene and the name of an
// attack, answers when the attack has begun, and goes on until it is killed.
import { ATTACKS, type Scene } from './attacks';
import { Organization } from './organization';

export interface Order {
  readonly scene: Scene;
  readonly attack: string;
}

process.on('message', ({ scene, attack: name }: Order) => {
  const attack = ATTACKS.find((one) => one.name === name);
  const attacker = new Organization(scene.url, scene.organization);
  for (let i = 0; i < (attack?.loops ?? 0); i++) {
    void (async () => {
      for (;;) await attack?.run(attacker, scene).catch(() => undefined);
    })();
  }
  process.send?.('begun');
});
process.on('disconnect', () => process.exit());
